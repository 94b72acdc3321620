// read_proof - what axi_read must do, for a model checker.
// For any jobs, any memory that answers in order, any consumer and any reset:
//   - an address that waits stays as it is, and no burst crosses 128 bytes, hence no page;
//   - addresses follow one another within a job;
//   - at most OUTSTANDING bursts are under way;
//   - a beat that is marked at random comes out after exactly those before it, unchanged.
`default_nettype none

module read_proof #(
  parameter int unsigned FRAME_BEATS = 5,
  parameter int unsigned OUTSTANDING = 2
) (
  input wire        clk,
  input wire        rst_n,
  input wire        cut,
  input wire        stop,
  input wire [28:0] job_address,
  input wire [20:0] job_frames,
  input wire        job_valid,
  input wire        mark_ready,
  input wire        m_axi_arready,
  input wire [63:0] m_axi_rdata,
  input wire [1:0]  m_axi_rresp,
  input wire        m_axi_rlast,
  input wire        m_axi_rvalid,
  input wire        m_axis_tready,
  input wire        mark
);

  logic        idle, busy, ended, job_ready, mark_valid, m_axi_arvalid, m_axi_rready;
  logic        m_axis_tvalid;
  logic [2:0]  mark_data;
  logic [31:0] m_axi_araddr;
  logic [3:0]  m_axi_arlen;
  logic [63:0] m_axis_tdata;

  axi_read #(
    .FRAME_BEATS(FRAME_BEATS),
    .OUTSTANDING(OUTSTANDING),
    .FIFO_BEATS (16 * OUTSTANDING),
    .MARKS      (OUTSTANDING),
    .RAM_STYLE  (1)
  ) u_read (.*);

  // Lengths of the bursts under way, oldest first, and beats of the oldest that came.
  logic [4:0]  length_q [OUTSTANDING];
  logic [7:0]  bursts_q;
  logic [4:0]  came_q;
  logic        asks, comes, leaves, last;
  // The marked beat.
  logic [7:0]  held_q, ahead_q;
  logic        marked_q, gone_q;
  logic [63:0] value_q;
  // Where the job goes on; the last burst of the one before may still wait then.
  logic        first_q, old_q;
  logic [28:0] next_q;
  logic        started_q, waited_q;
  logic [35:0] asked_q;
  initial started_q = 1'b0;

  assign asks   = m_axi_arvalid && m_axi_arready;
  assign comes  = m_axi_rvalid && m_axi_rready;
  assign leaves = m_axis_tvalid && m_axis_tready;
  assign last   = came_q == length_q[0] - 5'd1;

  always_ff @(posedge clk) begin
    started_q <= 1'b1;
    asked_q   <= {m_axi_araddr, m_axi_arlen};
    if (!rst_n) begin
      bursts_q <= '0;
      came_q   <= '0;
      held_q   <= '0;
      marked_q <= 1'b0;
      gone_q   <= 1'b0;
      first_q  <= 1'b1;
      old_q    <= 1'b0;
      waited_q <= 1'b0;
    end else begin
      waited_q <= m_axi_arvalid && !m_axi_arready;
      bursts_q <= bursts_q + 8'(asks) - 8'(comes && last);
      held_q   <= held_q + 8'(comes) - 8'(leaves);
      if (comes) came_q <= last ? '0 : came_q + 5'd1;
      for (int i = 0; i < int'(OUTSTANDING); i++) begin
        if (comes && last && i + 1 < int'(OUTSTANDING)) length_q[i] <= length_q[i+1];
        if (asks && 32'(bursts_q) == i + int'(comes && last)) begin
          length_q[i] <= 5'(m_axi_arlen) + 5'd1;
        end
      end
      if (job_valid && job_ready) begin
        first_q <= 1'b0;
        next_q  <= job_address;
        old_q   <= m_axi_arvalid && !m_axi_arready;
      end else if (asks) begin
        old_q <= 1'b0;
        if (!old_q) next_q <= m_axi_araddr[31:3] + 29'(m_axi_arlen) + 29'd1;
      end
      if (!marked_q && mark && comes) begin
        marked_q <= 1'b1;
        ahead_q  <= held_q - 8'(leaves);
        value_q  <= m_axi_rdata;
      end else if (marked_q && leaves) begin
        if (ahead_q == '0) gone_q <= 1'b1;
        ahead_q <= ahead_q - 8'd1;
      end
    end
  end

  always_comb begin
    assume (started_q || !rst_n);
    assume (job_frames != '0);
    if (started_q && rst_n) begin
      assume (!m_axi_rvalid || bursts_q != '0);
      assume (m_axi_rlast == last);
      if (waited_q) assert (m_axi_arvalid && {m_axi_araddr, m_axi_arlen} == asked_q);
      if (m_axi_arvalid) begin
        assert (32'(m_axi_araddr[6:3]) + 32'(m_axi_arlen) < 16);
        assert (m_axi_araddr[2:0] == '0 && !first_q);
        assert (m_axi_araddr[31:3] == next_q || old_q);
      end
      assert (32'(bursts_q) + 32'(m_axi_arvalid) <= OUTSTANDING);
      assert (m_axi_rready);
      assert (!leaves || held_q != '0);
      if (marked_q && !gone_q && leaves && ahead_q == '0) assert (m_axis_tdata == value_q);
    end
  end

endmodule

`default_nettype wire

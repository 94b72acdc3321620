// write_proof - what axi_write must do, for a model checker.
// For any jobs, words, marks and memory, and any reset:
//   - an address or a beat that waits stays as it is, and no burst crosses 128 bytes, hence no page;
//   - a beat leaves only for a burst that was asked for, and the last of a burst says so;
//   - at most OUTSTANDING bursts wait for their answer;
//   - a word that is marked at random is written after exactly those before it, unchanged.
`default_nettype none

module write_proof #(
  parameter int unsigned OUTSTANDING = 2
) (
  input wire        clk,
  input wire        rst_n,
  input wire        stop,
  input wire [28:0] job_address,
  input wire        job_valid,
  input wire [2:0]  mark_data,
  input wire        mark_valid,
  input wire [31:0] s_axis_tdata,
  input wire        s_axis_tvalid,
  input wire        s_axis_tlast,
  input wire        m_axi_awready,
  input wire        m_axi_wready,
  input wire [1:0]  m_axi_bresp,
  input wire        m_axi_bvalid,
  input wire        mark
);

  logic        idle, failed, framed, done, job_ready, mark_ready, s_axis_tready;
  logic        m_axi_awvalid, m_axi_wlast, m_axi_wvalid, m_axi_bready;
  logic [3:0]  done_errors, m_axi_awlen;
  logic [31:0] m_axi_awaddr;
  logic [63:0] m_axi_wdata;
  logic [7:0]  m_axi_wstrb;

  axi_write #(
    .OUTSTANDING(OUTSTANDING),
    .RAM_STYLE  (1)
  ) u_write (.*);

  logic        takes, asks, sends, half, fresh, over;
  // Lengths of bursts on the bus whose data did not all leave, oldest first; beats that left.
  logic [4:0]  length_q [2];
  logic [4:0]  left_q;
  logic [1:0]  open_q;
  logic [7:0]  bursts_q, sent_q;
  // The marked word, and the words inside.
  logic [7:0]  held_q, ahead_q;
  logic        marked_q, gone_q;
  logic [31:0] value_q;
  // The cycle before.
  logic        started_q, address_waited_q, data_waited_q, mark_waited_q, word_waited_q;
  logic [35:0] address_q;
  logic [72:0] data_q;
  logic [2:0]  mark_q;
  logic [32:0] word_q;
  initial started_q = 1'b0;

  assign takes = s_axis_tvalid && s_axis_tready;
  assign asks  = m_axi_awvalid && m_axi_awready;
  assign sends = m_axi_wvalid && m_axi_wready;
  assign half  = !m_axi_wstrb[4];
  assign fresh = m_axi_awvalid && !address_waited_q;
  assign over  = sends && m_axi_wlast;

  always_ff @(posedge clk) begin
    started_q <= 1'b1;
    address_q <= {m_axi_awaddr, m_axi_awlen};
    data_q    <= {m_axi_wdata, m_axi_wstrb, m_axi_wlast};
    mark_q    <= mark_data;
    word_q    <= {s_axis_tlast, s_axis_tdata};
    if (!rst_n) begin
      {address_waited_q, data_waited_q, mark_waited_q, word_waited_q} <= '0;
      open_q   <= '0;
      left_q   <= '0;
      bursts_q <= '0;
      sent_q   <= '0;
      held_q   <= '0;
      marked_q <= 1'b0;
      gone_q   <= 1'b0;
    end else begin
      address_waited_q <= m_axi_awvalid && !m_axi_awready;
      data_waited_q    <= m_axi_wvalid && !m_axi_wready;
      mark_waited_q    <= mark_valid && !mark_ready;
      word_waited_q    <= s_axis_tvalid && !s_axis_tready;
      open_q <= open_q + 2'(fresh) - 2'(over);
      if (over) length_q[0] <= length_q[1];
      if (fresh && open_q == 2'(over)) length_q[0] <= 5'(m_axi_awlen) + 5'd1;
      else if (fresh) length_q[1] <= 5'(m_axi_awlen) + 5'd1;
      if (sends) left_q <= m_axi_wlast ? '0 : left_q + 5'd1;
      bursts_q <= bursts_q + 8'(asks) - 8'(m_axi_bvalid);
      sent_q   <= sent_q + 8'(over) - 8'(m_axi_bvalid);
      held_q   <= held_q + 8'(takes) - (sends ? (half ? 8'd1 : 8'd2) : 8'd0);
      if (!marked_q && mark && takes) begin
        marked_q <= 1'b1;
        ahead_q  <= held_q - (sends ? (half ? 8'd1 : 8'd2) : 8'd0);
        value_q  <= s_axis_tdata;
      end else if (marked_q && !gone_q && sends) begin
        if (ahead_q < (half ? 8'd1 : 8'd2)) gone_q <= 1'b1;
        ahead_q <= ahead_q - (half ? 8'd1 : 8'd2);
      end
    end
  end

  always_comb begin
    assume (started_q || !rst_n);
    if (started_q && rst_n) begin
      // The memory answers what was asked for and sent; what waits, stays.
      assume (!m_axi_bvalid || (bursts_q != '0 && sent_q != '0));
      if (mark_waited_q) assume (mark_valid && mark_data == mark_q);
      if (word_waited_q) assume (s_axis_tvalid && {s_axis_tlast, s_axis_tdata} == word_q);
      if (address_waited_q) assert (m_axi_awvalid && {m_axi_awaddr, m_axi_awlen} == address_q);
      if (data_waited_q) assert (m_axi_wvalid && {m_axi_wdata, m_axi_wstrb, m_axi_wlast} == data_q);
      if (m_axi_awvalid) begin
        assert (32'(m_axi_awaddr[6:3]) + 32'(m_axi_awlen) < 16);
        assert (m_axi_awaddr[2:0] == '0);
      end
      if (m_axi_wvalid) begin
        assert (open_q != '0);
        assert (m_axi_wlast == (left_q == length_q[0] - 5'd1));
        assert (m_axi_wstrb == 8'hff || (m_axi_wstrb == 8'h0f && m_axi_wlast));
      end
      assert (32'(bursts_q) + 32'(m_axi_awvalid) <= OUTSTANDING);
      assert (m_axi_bready && open_q <= 2'd2);
      if (marked_q && !gone_q && sends) begin
        if (ahead_q == 8'd0) assert (m_axi_wdata[31:0] == value_q);
        if (ahead_q == 8'd1 && !half) assert (m_axi_wdata[63:32] == value_q);
      end
    end
  end

endmodule

`default_nettype wire

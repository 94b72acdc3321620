// fork_proof - what axis_fork must do, for a model checker.
// For any input that keeps to the rules of the stream, any consumers and any reset:
//   - an output that waits stays as it is, whatever the others do;
//   - no beat comes out that did not go in, none is lost, none comes twice and none overtakes: one
//     that is marked at random on its way in leaves each output after exactly those before it;
//   - the fork holds CAPACITY beats at most, and no output is more than one ahead of another;
//   - a beat inside is on offer within LATENCY cycles at every output that is not ahead, and one
//     that waits to enter does so within LATENCY cycles in which no output keeps it waiting.
`default_nettype none

module fork_proof #(
  parameter int unsigned DATA_W   = 1,
  parameter int unsigned OUTPUTS  = 2,
  parameter int unsigned CAPACITY = 2,
  parameter int unsigned LATENCY  = 1
) (
  input wire               clk,
  input wire               rst_n,
  input wire               mark,
  input wire [DATA_W-1:0]  s_axis_tdata,
  input wire               s_axis_tvalid,
  input wire [OUTPUTS-1:0] m_axis_tready
);

  // As narrow as the first count that is wrong: a model checker's states double with every bit.
  localparam int unsigned HELD_W = $clog2(CAPACITY + 2);
  localparam int unsigned WAIT_W = $clog2(LATENCY + 2);

  logic                      s_axis_tready;
  logic [OUTPUTS*DATA_W-1:0] m_axis_tdata;
  logic [OUTPUTS-1:0]        m_axis_tvalid;

  axis_fork #(
    .DATA_W (DATA_W),
    .OUTPUTS(OUTPUTS)
  ) u_fork (.*);

  logic enters, blocked;
  assign enters  = s_axis_tvalid && s_axis_tready;
  assign blocked = |(m_axis_tvalid & ~m_axis_tready);

  // Marked beat, cycles in which the input should have moved, and the cycle before.
  logic              marked_q;
  logic [DATA_W-1:0] value_q, in_q;
  logic [WAIT_W-1:0] stuck_q;
  logic              started_q, in_waited_q;
  // For each output: the beats it has not taken, and the most that an output has not.
  logic [OUTPUTS*HELD_W-1:0] held_q;
  logic [HELD_W-1:0]         most;
  initial started_q = 1'b0;

  always_comb begin
    most = '0;
    for (int i = 0; i < int'(OUTPUTS); i++) begin
      if (held_q[i*HELD_W +: HELD_W] > most) most = held_q[i*HELD_W +: HELD_W];
    end
  end

  always_ff @(posedge clk) begin
    started_q <= 1'b1;
    in_q      <= s_axis_tdata;
    if (!rst_n) begin
      marked_q    <= 1'b0;
      stuck_q     <= '0;
      in_waited_q <= 1'b0;
    end else begin
      in_waited_q <= s_axis_tvalid && !s_axis_tready;
      if (s_axis_tvalid && !s_axis_tready && !blocked) stuck_q <= stuck_q + 1'b1;
      else stuck_q <= '0;
      if (!marked_q && enters && mark) begin
        marked_q <= 1'b1;
        value_q  <= s_axis_tdata;
      end
    end
  end

  always_comb begin
    assume (started_q || !rst_n);
    if (started_q && rst_n) begin
      if (in_waited_q) assume (s_axis_tvalid && s_axis_tdata == in_q);
      assert (most <= HELD_W'(CAPACITY));
      assert (stuck_q <= WAIT_W'(LATENCY));
    end
  end

  for (genvar i = 0; i < int'(OUTPUTS); i++) begin : gen_output
    logic              leaves, gone_q, waited_q;
    logic [DATA_W-1:0] data, out_q;
    // Beats that this output has not taken, those of them before the marked one, and cycles in
    // which one should have been on offer.
    logic [HELD_W-1:0] held, ahead_q;
    logic [WAIT_W-1:0] idle_q;

    assign leaves = m_axis_tvalid[i] && m_axis_tready[i];
    assign data   = m_axis_tdata[i*DATA_W +: DATA_W];
    assign held   = held_q[i*HELD_W +: HELD_W];

    always_ff @(posedge clk) begin
      out_q <= data;
      if (!rst_n) begin
        held_q[i*HELD_W +: HELD_W] <= '0;
        gone_q                     <= 1'b0;
        idle_q                     <= '0;
        waited_q                   <= 1'b0;
      end else begin
        held_q[i*HELD_W +: HELD_W] <= held + HELD_W'(enters) - HELD_W'(leaves);
        waited_q                   <= m_axis_tvalid[i] && !m_axis_tready[i];
        if (held != '0 && held == most && !m_axis_tvalid[i]) idle_q <= idle_q + 1'b1;
        else idle_q <= '0;
        if (!marked_q && enters && mark) begin
          ahead_q <= held - HELD_W'(leaves);
        end else if (marked_q && leaves) begin
          if (ahead_q == '0) gone_q <= 1'b1;
          ahead_q <= ahead_q - 1'b1;
        end
      end
    end

    always_comb begin
      if (started_q && rst_n) begin
        if (waited_q) assert (m_axis_tvalid[i] && data == out_q);
        assert (!leaves || held != '0);
        assert (most - held <= HELD_W'(1));
        assert (idle_q <= WAIT_W'(LATENCY));
        if (marked_q && !gone_q && leaves && ahead_q == '0) assert (data == value_q);
      end
    end
  end

endmodule

`default_nettype wire

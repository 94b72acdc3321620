// join_proof - what axis_join must do, for a model checker.
// For any inputs that keep to the rules of the stream, any consumer and any reset:
//   - an output that waits stays as it is;
//   - beat n of one input leaves with beat n of the other: one that is marked at random on its way
//     in leaves after exactly those before it, unchanged;
//   - the join holds CAPACITY beats of each input at most;
//   - with a beat of each inside one is on offer within LATENCY cycles, and with room for it a beat
//     waits no longer to enter, whatever the other input does.
`default_nettype none

module join_proof #(
  parameter int unsigned A_W      = 1,
  parameter int unsigned B_W      = 1,
  parameter int unsigned CAPACITY = 2,
  parameter int unsigned LATENCY  = 1
) (
  input wire           clk,
  input wire           rst_n,
  input wire [1:0]     mark,
  input wire [A_W-1:0] a_axis_tdata,
  input wire           a_axis_tvalid,
  input wire [B_W-1:0] b_axis_tdata,
  input wire           b_axis_tvalid,
  input wire           m_axis_tready
);

  localparam int unsigned DATA_W = A_W + B_W;
  // As narrow as the first count that is wrong: a model checker's states double with every bit.
  localparam int unsigned HELD_W = $clog2(CAPACITY + 2);
  localparam int unsigned WAIT_W = $clog2(LATENCY + 2);

  logic              a_axis_tready, b_axis_tready, m_axis_tvalid;
  logic [DATA_W-1:0] m_axis_tdata;

  axis_join #(
    .A_W(A_W),
    .B_W(B_W)
  ) u_join (.*);

  logic              leaves;
  // Whether both inputs have beats inside, cycles in which one should have been on offer, and the
  // cycle before.
  logic [1:0]        some;
  logic [WAIT_W-1:0] idle_q;
  logic              started_q, waited_q;
  logic [DATA_W-1:0] out_q;
  initial started_q = 1'b0;

  assign leaves = m_axis_tvalid && m_axis_tready;

  always_ff @(posedge clk) begin
    started_q <= 1'b1;
    out_q     <= m_axis_tdata;
    if (!rst_n) begin
      idle_q   <= '0;
      waited_q <= 1'b0;
    end else begin
      waited_q <= m_axis_tvalid && !m_axis_tready;
      idle_q   <= (some == 2'd3 && !m_axis_tvalid) ? idle_q + 1'b1 : '0;
    end
  end

  always_comb begin
    assume (started_q || !rst_n);
    if (started_q && rst_n) begin
      if (waited_q) assert (m_axis_tvalid && m_axis_tdata == out_q);
      assert (idle_q <= WAIT_W'(LATENCY));
    end
  end

  for (genvar i = 0; i < 2; i++) begin : gen_input
    localparam int unsigned IN_W = (i == 0) ? A_W : B_W;
    logic            valid, ready, enters, marked_q, gone_q, in_waited_q;
    logic [IN_W-1:0] data, in_q, value_q, out;
    // Beats inside, those of them before the marked one, and cycles in which one should have
    // entered.
    logic [HELD_W-1:0] held_q, ahead_q;
    logic [WAIT_W-1:0] stuck_q;

    if (i == 0) begin : gen_a
      assign {valid, ready, data, out} =
          {a_axis_tvalid, a_axis_tready, a_axis_tdata, m_axis_tdata[A_W-1:0]};
    end else begin : gen_b
      assign {valid, ready, data, out} =
          {b_axis_tvalid, b_axis_tready, b_axis_tdata, m_axis_tdata[DATA_W-1:A_W]};
    end
    assign enters  = valid && ready;
    assign some[i] = held_q != '0;

    always_ff @(posedge clk) begin
      in_q <= data;
      if (!rst_n) begin
        held_q      <= '0;
        marked_q    <= 1'b0;
        gone_q      <= 1'b0;
        stuck_q     <= '0;
        in_waited_q <= 1'b0;
      end else begin
        held_q      <= held_q + HELD_W'(enters) - HELD_W'(leaves);
        in_waited_q <= valid && !ready;
        stuck_q     <= (valid && !ready && held_q < HELD_W'(CAPACITY)) ? stuck_q + 1'b1 : '0;
        if (!marked_q && enters && mark[i]) begin
          marked_q <= 1'b1;
          ahead_q  <= held_q - HELD_W'(leaves);
          value_q  <= data;
        end else if (marked_q && leaves) begin
          if (ahead_q == '0) gone_q <= 1'b1;
          ahead_q <= ahead_q - 1'b1;
        end
      end
    end

    always_comb begin
      if (started_q && rst_n) begin
        if (in_waited_q) assume (valid && data == in_q);
        assert (!leaves || held_q != '0);
        assert (held_q <= HELD_W'(CAPACITY));
        assert (stuck_q <= WAIT_W'(LATENCY));
        if (marked_q && !gone_q && leaves && ahead_q == '0) assert (out == value_q);
      end
    end
  end

endmodule

`default_nettype wire

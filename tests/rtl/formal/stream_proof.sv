// stream_proof - what every cell of a stream must do, for a model checker.
// `CELL, an instance of the cell, moves elements from s_axis to m_axis. Proven for any input that
// keeps to the rules of the stream, and any reset:
//   - an output that waits stays as it is;
//   - no element comes out that did not go in, none is lost and none overtakes: one that is marked
//     at random on its way in comes out after exactly those before it, unchanged;
//   - the cell holds CAPACITY elements at most;
//   - with NEEDS elements inside and somebody to take them, or a beat that waits to enter an empty
//     cell, something moves within LATENCY cycles.
`default_nettype none

module stream_proof #(
  parameter int unsigned ELEM_W    = 1,
  parameter int unsigned IN_ELEMS  = 1,
  parameter int unsigned OUT_ELEMS = 1,
  parameter int unsigned CAPACITY  = 2,
  parameter int unsigned NEEDS     = 1,
  parameter int unsigned LATENCY   = 3
) (
  input wire                       clk,
  input wire                       rst_n,
  input wire                       mark,
  input wire [7:0]                 pick,
  input wire [IN_ELEMS*ELEM_W-1:0] s_axis_tdata,
  input wire                       s_axis_tvalid,
  input wire                       m_axis_tready
);

  logic                        s_axis_tready, m_axis_tvalid;
  logic [OUT_ELEMS*ELEM_W-1:0] m_axis_tdata;

  `CELL

  // As narrow as the first count that is wrong: a model checker's states double with every bit.
  localparam int unsigned HELD_W = $clog2(CAPACITY + IN_ELEMS + OUT_ELEMS + 1);
  localparam int unsigned WAIT_W = $clog2(LATENCY + 2);

  logic             enters, leaves;
  logic [HELD_W-1:0] coming, going;
  assign enters = s_axis_tvalid && s_axis_tready;
  assign leaves = m_axis_tvalid && m_axis_tready;
  assign coming = enters ? HELD_W'(IN_ELEMS) : '0;
  assign going  = leaves ? HELD_W'(OUT_ELEMS) : '0;

  // Elements inside, those ahead of the marked one, and its value.
  logic [HELD_W-1:0]            held_q, ahead_q;
  logic                        marked_q, gone_q;
  logic [ELEM_W-1:0]           value_q;
  // Cycles in which something should have moved.
  logic [WAIT_W-1:0]            idle_q, stuck_q;
  // The cycle before.
  logic                        started_q, in_waited_q, out_waited_q;
  logic [IN_ELEMS*ELEM_W-1:0]  in_q;
  logic [OUT_ELEMS*ELEM_W-1:0] out_q;
  initial started_q = 1'b0;

  always_ff @(posedge clk) begin
    started_q <= 1'b1;
    in_q      <= s_axis_tdata;
    out_q     <= m_axis_tdata;
    if (!rst_n) begin
      held_q       <= '0;
      marked_q     <= 1'b0;
      gone_q       <= 1'b0;
      idle_q       <= '0;
      stuck_q      <= '0;
      in_waited_q  <= 1'b0;
      out_waited_q <= 1'b0;
    end else begin
      held_q       <= held_q + coming - going;
      in_waited_q  <= s_axis_tvalid && !s_axis_tready;
      out_waited_q <= m_axis_tvalid && !m_axis_tready;
      if (m_axis_tready && !m_axis_tvalid && held_q >= HELD_W'(NEEDS)) idle_q <= idle_q + 1'b1;
      else idle_q <= '0;
      if (s_axis_tvalid && !s_axis_tready && m_axis_tready && !m_axis_tvalid) begin
        stuck_q <= stuck_q + 1'b1;
      end else begin
        stuck_q <= '0;
      end
      if (!marked_q && enters && mark) begin
        marked_q <= 1'b1;
        ahead_q  <= held_q + HELD_W'(pick) - going;
        for (int i = 0; i < int'(IN_ELEMS); i++) begin
          if (32'(pick) == i) value_q <= s_axis_tdata[i*int'(ELEM_W) +: ELEM_W];
        end
      end else if (marked_q && leaves) begin
        if (ahead_q < HELD_W'(OUT_ELEMS)) gone_q <= 1'b1;
        ahead_q <= ahead_q - HELD_W'(OUT_ELEMS);
      end
    end
  end

  always_comb begin
    assume (started_q || !rst_n);
    assume (pick < 8'(IN_ELEMS));
    if (started_q && rst_n) begin
      if (in_waited_q) assume (s_axis_tvalid && s_axis_tdata == in_q);
      if (out_waited_q) assert (m_axis_tvalid && m_axis_tdata == out_q);
      assert (going <= held_q);
      assert (held_q <= HELD_W'(CAPACITY));
      assert (idle_q <= WAIT_W'(LATENCY));
      assert (stuck_q <= WAIT_W'(LATENCY));
      for (int i = 0; i < int'(OUT_ELEMS); i++) begin
        if (marked_q && !gone_q && leaves && 32'(ahead_q) == i) begin
          assert (m_axis_tdata[i*int'(ELEM_W) +: ELEM_W] == value_q);
        end
      end
    end
  end

endmodule

`default_nettype wire

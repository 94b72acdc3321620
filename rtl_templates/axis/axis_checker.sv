// axis_checker - asserts in simulation that a beat on offer stays as it is until it is taken.
// tvalid && !tready, and a cycle later: tvalid, and the same tdata
// Needs:  an instance between `ifndef SYNTHESIS and `endif: for synthesis there is no such module.
`default_nettype none

`ifndef SYNTHESIS

module axis_checker #(
  parameter int unsigned DATA_W = 8
) (
  input wire              clk,
  input wire              rst_n,

  input wire [DATA_W-1:0] m_axis_tdata,
  input wire              m_axis_tvalid,
  input wire              m_axis_tready
);

  hold_rule : assert property (@(posedge clk) disable iff (!rst_n)
    m_axis_tvalid && !m_axis_tready |=> m_axis_tvalid && $stable(m_axis_tdata));

endmodule

`endif

`default_nettype wire

// axi_tally - counts up and down from 0 to MOST, and says whether there are some or all.
// Both at once change nothing. The count is a bar of ones: the outputs are registers.
// Needs:  MOST >= 2; no step below 0 or above MOST.
`default_nettype none

module axi_tally #(
  parameter int unsigned MOST = 8
) (
  input  wire  clk,
  input  wire  rst_n,
  input  wire  up,
  input  wire  down,
  output logic some,
  output logic full
);

  if (MOST < 2) begin : gen_bad_most
    $error("axi_tally: MOST must be at least 2");
  end

  logic [MOST-1:0] bar_q;

  always_ff @(posedge clk) begin
    if (!rst_n) bar_q <= '0;
    else if (up && !down) bar_q <= {bar_q[MOST-2:0], 1'b1};
    else if (down && !up) bar_q <= {1'b0, bar_q[MOST-1:1]};
  end

  assign some = bar_q[0];
  assign full = bar_q[MOST-1];

`ifndef SYNTHESIS
  bounds_kept : assert property (@(posedge clk) disable iff (!rst_n)
    (up == down) || (up ? !bar_q[MOST-1] : bar_q[0]));
`endif

endmodule

`default_nettype wire

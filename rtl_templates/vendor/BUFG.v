// BUFG - stands in for the clock buffer of 7 series in lint and simulation (Xilinx UG953).
`default_nettype none

(* blackbox *)
module BUFG (
  input  wire I,
  output wire O
);

`ifndef SYNTHESIS
  assign O = I;
`endif

endmodule

`default_nettype wire

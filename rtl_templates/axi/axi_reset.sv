// axi_reset - resets what a bus waits for only when the bus is quiet.
// After rst_n, or on request, core_rst_n is low for 16 cycles. Upon a request, stop asks for no
// more bursts first, and the reset begins when idle has been high for 16 cycles.
// Needs:  idle to come once stop is high, which lasts to the end of the reset.
`default_nettype none

module axi_reset (
  input  wire  clk,
  input  wire  rst_n,
  input  wire  request,
  input  wire  idle,
  output logic stop,
  output logic core_rst_n
);

  logic       stop_q;
  logic [4:0] count_q;

  // As every register of the chip starts, and as the reset's end puts it.
  // verilator lint_off PROCASSINIT
  logic       core_rst_n_q = 1'b0;
  // verilator lint_on PROCASSINIT

  // The upper half of the count is the reset itself.
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      stop_q       <= 1'b1;
      count_q      <= 5'd16;
      core_rst_n_q <= 1'b0;
    end else begin
      core_rst_n_q <= !count_q[4];
      if (request) stop_q <= 1'b1;
      else if (&count_q) stop_q <= 1'b0;
      if (count_q[4] || (stop_q && idle)) count_q <= count_q + 1'b1;
      else count_q <= '0;
    end
  end

  assign stop       = stop_q;
  assign core_rst_n = core_rst_n_q;

endmodule

`default_nettype wire

// axi_counters - counts what happens around the accelerator, modulo 2**32.
// jobs, results, cycles, starved and stalled count the cycles in which done, framed, busy, starves
// and stalls are high. job_failed is the number, from 1 on, of the last job that ended with errors
// while clean was high.
// Rate:   the counts come two cycles after what they count.
// Needs:  nothing.
`default_nettype none

module axi_counters (
  input  wire         clk,
  input  wire         rst_n,
  input  wire         done,
  input  wire         errors,
  input  wire         clean,
  input  wire         framed,
  input  wire         busy,
  input  wire         starves,
  input  wire         stalls,
  output logic [31:0] jobs,
  output logic [31:0] job_failed,
  output logic [31:0] results,
  output logic [31:0] cycles,
  output logic [31:0] starved,
  output logic [31:0] stalled
);

  logic [31:0] jobs_q, failed_q, results_q, cycles_q, starved_q, stalled_q;
  logic        done_q, errors_q, failing_q, framed_q, busy_q, starves_q, stalls_q;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      {done_q, errors_q, failing_q, framed_q, busy_q, starves_q, stalls_q} <= '0;
      jobs_q    <= '0;
      failed_q  <= '0;
      results_q <= '0;
      cycles_q  <= '0;
      starved_q <= '0;
      stalled_q <= '0;
    end else begin
      done_q    <= done;
      errors_q  <= done && errors;
      failing_q <= errors_q && clean;
      framed_q  <= framed;
      busy_q    <= busy;
      starves_q <= starves;
      stalls_q  <= stalls;
      if (done_q) jobs_q <= jobs_q + 1'b1;
      if (failing_q) failed_q <= jobs_q;
      if (framed_q) results_q <= results_q + 1'b1;
      if (busy_q) cycles_q <= cycles_q + 1'b1;
      if (starves_q) starved_q <= starved_q + 1'b1;
      if (stalls_q) stalled_q <= stalled_q + 1'b1;
    end
  end

  assign jobs       = jobs_q;
  assign job_failed = failed_q;
  assign results    = results_q;
  assign cycles     = cycles_q;
  assign starved    = starved_q;
  assign stalled    = stalled_q;

endmodule

`default_nettype wire

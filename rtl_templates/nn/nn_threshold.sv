// nn_threshold - counts the thresholds that each of PE accumulators reaches.
// y[p] = sum_t( T[group][p][t] <= acc[p] )
// Stream: none; acc_valid marks an input, out_valid its result a fixed number of cycles later.
// Rate:   one input per SPACING cycles at most. The comparisons of an input are spread over these
//         cycles: ceil(THRESHOLDS/SPACING) comparators per accumulator.
// Needs:  two inputs at least SPACING cycles apart.
//
// INIT_FILE as mem_rom says: word group*2^k + pass, 2^k the power of two from the number of passes
// up, element p*ways + i: threshold pass*ways + i of accumulator p, unsigned, ACC_W bits, 0 where
// there is none. More than 256 words are in block RAM.
`default_nettype none

module nn_threshold #(
  parameter int unsigned PE         = 2,
  parameter int unsigned GROUPS     = 4,
  parameter int unsigned ACC_W      = 8,
  parameter int unsigned THRESHOLDS = 3,
  parameter int unsigned OUT_W      = 2,
  parameter int unsigned SPACING    = 2,
  parameter              INIT_FILE  = "",
  localparam int unsigned GRP_W     = (GROUPS > 1) ? $clog2(GROUPS) : 1
) (
  input  wire                 clk,
  input  wire                 rst_n,

  input  wire  [PE*ACC_W-1:0] acc,
  input  wire  [GRP_W-1:0]    group,
  input  wire                 acc_valid,

  output logic [PE*OUT_W-1:0] out,
  output logic                out_valid
);

  if (PE < 1 || GROUPS < 1 || ACC_W < 1 || SPACING < 1) begin : gen_bad_size
    $error("nn_threshold: PE, GROUPS, ACC_W and SPACING must be at least 1");
  end
  if (THRESHOLDS < 1 || (THRESHOLDS >> OUT_W) != 0) begin : gen_bad_thresholds
    $error("nn_threshold: THRESHOLDS must be at least 1 and less than 2^OUT_W");
  end

  // Comparators per accumulator, and passes that they need.
  localparam int unsigned WAYS   = (THRESHOLDS + SPACING - 1) / SPACING;
  localparam int unsigned PASSES = (THRESHOLDS + WAYS - 1) / WAYS;
  localparam int unsigned PASS_W = (PASSES > 1) ? $clog2(PASSES) : 1;
  localparam int unsigned SPARE  = PASSES * WAYS - THRESHOLDS;
  localparam int unsigned SLOTS  = (PASSES > 1) ? 1 << PASS_W : 1;
  localparam int unsigned DEPTH  = GROUPS * SLOTS;
  localparam int unsigned ADDR_W = (DEPTH > 1) ? $clog2(DEPTH) : 1;

  // The pass, the group that it belongs to, and what its levels are compared with.
  logic [PASS_W-1:0]   pass_q;
  logic [GRP_W-1:0]    group_q, group_now;
  logic [PE*ACC_W-1:0] acc_q, value_q;
  logic                start, active, last;

  assign start  = acc_valid && (pass_q == '0);
  assign active = acc_valid || (pass_q != '0);
  assign last   = 32'(pass_q) == PASSES - 1;

  always_ff @(posedge clk) begin
    if (!rst_n) pass_q <= '0;
    else if (active) pass_q <= last ? '0 : pass_q + 1'b1;
  end

  always_ff @(posedge clk) begin
    if (start) begin
      acc_q   <= acc;
      group_q <= group;
    end
    value_q <= acc_q;
  end

  assign group_now = start ? group : group_q;

  // The levels of this pass, two cycles later, beside the accumulators that they belong to.
  logic [PE*WAYS*ACC_W-1:0] levels_q;

  mem_rom #(
    .WIDTH    (PE * WAYS * ACC_W),
    .DEPTH    (DEPTH),
    .INIT_FILE(INIT_FILE),
    .STYLE    ((DEPTH > 256) ? 2 : 1),
    .OUT_REG  (1)
  ) u_levels (
    .clk (clk),
    .addr(ADDR_W'(32'(group_now) * SLOTS + ((PASSES > 1) ? 32'(pass_q) : 0))),
    .dout(levels_q)
  );

  // Where the pass stands: [1] at the levels, [2] at the comparators, [3] at the counts.
  logic [3:1] vld_q, first_q, last_q;

  always_ff @(posedge clk) begin
    if (!rst_n) vld_q <= '0;
    else vld_q <= {vld_q[2:1], active};
    first_q <= {first_q[2:1], pass_q == '0};
    last_q  <= {last_q[2:1], last};
  end

  logic [PE*WAYS-1:0]  passed_q;
  logic [PE*OUT_W-1:0] count_q;
  logic                out_vld_q;

  for (genvar i = 0; i < int'(PE * WAYS); i++) begin : gen_compare
    logic [ACC_W-1:0] value, level;
    logic             spare;
    assign value = value_q[(i/WAYS)*ACC_W +: ACC_W];
    assign level = levels_q[i*ACC_W +: ACC_W];
    assign spare = (SPARE != 0) && (i % WAYS >= WAYS - SPARE) && last_q[2];
    always_ff @(posedge clk) passed_q[i] <= (value >= level) && !spare;
  end

  for (genvar p = 0; p < int'(PE); p++) begin : gen_count
    logic [OUT_W-1:0] so_far;
    assign so_far = first_q[3] ? '0 : count_q[p*OUT_W +: OUT_W];
    always_ff @(posedge clk) begin
      if (vld_q[3]) begin
        count_q[p*OUT_W +: OUT_W] <= so_far + OUT_W'($countones(passed_q[p*WAYS +: WAYS]));
      end
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) out_vld_q <= 1'b0;
    else out_vld_q <= vld_q[3] && last_q[3];
  end

  assign out       = count_q;
  assign out_valid = out_vld_q;

`ifndef SYNTHESIS
  spacing_rule : assert property (@(posedge clk) disable iff (!rst_n)
    acc_valid |-> pass_q == '0);
`endif

endmodule

`default_nettype wire

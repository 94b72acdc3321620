// nn_accumulate - adds up the sums of a row group's steps, over all beats of a vector.
// acc[p] = start[group][p] + sum over BEATS beats and STEPS steps of each of sums[p]
// Stream: none; a step is announced three cycles before its sums. acc_valid marks the accumulators
//         of a row group one cycle after the last sums of its last beat.
// Rate:   one step per cycle.
// Needs:  the steps in order: in each beat of a vector, those of one row group after the other.
//
// START_FILE as mem_rom says: word group, element p: where row p of the group starts; "" means
// START for all rows.
`default_nettype none

module nn_accumulate #(
  parameter int unsigned PE         = 2,
  parameter int unsigned GROUPS     = 4,
  parameter int unsigned STEPS      = 2,
  parameter int unsigned BEATS      = 2,
  parameter int unsigned ACC_W      = 8,
  parameter int          START      = 0,
  parameter              START_FILE = "",
  localparam int unsigned GRP_W     = (GROUPS > 1) ? $clog2(GROUPS) : 1
) (
  input  wire                 clk,
  input  wire                 rst_n,

  // A step: its row group, whether it is the group's first in its beat, whether the beat is the
  // vector's first, and whether the group is complete with it.
  input  wire                 step_valid,
  input  wire  [GRP_W-1:0]    step_group,
  input  wire                 step_first,
  input  wire                 step_fresh,
  input  wire                 step_last,

  input  wire  [PE*ACC_W-1:0] sums,

  output logic [PE*ACC_W-1:0] acc,
  output logic [GRP_W-1:0]    acc_group,
  output logic                acc_valid
);

  if (PE < 1 || GROUPS < 1 || STEPS < 1 || BEATS < 1 || ACC_W < 1) begin : gen_bad_size
    $error("nn_accumulate: PE, GROUPS, STEPS, BEATS and ACC_W must be at least 1");
  end

  // Cycles from the announcement of a step to its accumulators; its sums come a cycle earlier.
  localparam int unsigned LATENCY = 4;

  // What was announced; [k] is k cycles later.
  logic [3:1]       run_q, fresh_q;
  logic [2:1]       first_q;
  logic [LATENCY:1] last_q;
  logic [GRP_W-1:0] group_q [1:LATENCY];

  always_ff @(posedge clk) begin
    first_q    <= 2'({first_q, step_first});
    fresh_q    <= 3'({fresh_q, step_fresh});
    group_q[1] <= step_group;
    for (int k = 2; k <= int'(LATENCY); k++) group_q[k] <= group_q[k-1];
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      run_q  <= '0;
      last_q <= '0;
    end else begin
      run_q  <= 3'({run_q, step_valid});
      last_q <= LATENCY'({last_q, step_last});
    end
  end

  // A step adds to its predecessor's accumulator, or where a row group begins to `base`: the row's
  // start in the first beat of a vector, what the last beat left in the later ones.
  logic [PE*ACC_W-1:0] from, base, acc_q, acc_d;

  if (START_FILE != "") begin : gen_starts
    mem_rom #(
      .WIDTH    (PE * ACC_W),
      .DEPTH    (GROUPS),
      .INIT_FILE(START_FILE),
      .STYLE    (1),
      .OUT_REG  (1)
    ) u_starts (
      .clk (clk),
      .addr(step_group),
      .dout(from)
    );
  end else begin : gen_start
    assign from = {PE{ACC_W'(START)}};
  end

  if (BEATS == 1 || GROUPS == 1) begin : gen_short
    logic [PE*ACC_W-1:0] from_q;
    always_ff @(posedge clk) from_q <= from;
    assign base = (BEATS == 1 || fresh_q[3]) ? from_q : acc_q;
  end else begin : gen_partial
    logic [PE*ACC_W-1:0] partial, base_q;
    // Steps of the same row group in two beats are at least two cycles apart: the sum is there.
    mem_ram #(
      .WIDTH  (PE * ACC_W),
      .DEPTH  (GROUPS),
      .STYLE  (1),
      .OUT_REG(0)
    ) u_partial (
      .clk    (clk),
      .wr_en  (run_q[3]),
      .wr_addr(group_q[3]),
      .wr_data(acc_d),
      .rd_en  (1'b1),
      .rd_addr(group_q[2]),
      .rd_data(partial)
    );
    always_ff @(posedge clk) base_q <= fresh_q[2] ? from : partial;
    assign base = base_q;
  end

  for (genvar p = 0; p < int'(PE); p++) begin : gen_acc
    // Whether a sum comes and whether it is a row group's first, for this row alone.
    (* keep = "true" *) logic run_p;
    logic [ACC_W-1:0] addend;
    always_ff @(posedge clk) run_p <= run_q[2];
    if (STEPS > 1) begin : gen_many
      (* keep = "true" *) logic first_p;
      always_ff @(posedge clk) first_p <= first_q[2];
      assign addend = first_p ? base[p*ACC_W +: ACC_W] : acc_q[p*ACC_W +: ACC_W];
    end else begin : gen_one
      assign addend = base[p*ACC_W +: ACC_W];
    end
    assign acc_d[p*ACC_W +: ACC_W] = sums[p*ACC_W +: ACC_W] + addend;
    always_ff @(posedge clk) begin
      if (run_p) acc_q[p*ACC_W +: ACC_W] <= acc_d[p*ACC_W +: ACC_W];
    end
  end

  assign acc       = acc_q;
  assign acc_group = group_q[LATENCY];
  assign acc_valid = last_q[LATENCY];

endmodule

`default_nettype wire

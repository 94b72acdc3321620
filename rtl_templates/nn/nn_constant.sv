// nn_constant - matrix-vector product with constant weights, a slice of the activations at a time,
//               then threshold count.
// y[r] = sum_t( T[r][t] <= acc[r] ), acc[r] = sum_n 2^((STEPS-1-n)*SLICE) * sums[r](slice n)
// Stream: one beat of COLS unsigned activations in per vector; one beat of ROWS elements out.
// Rate:   one vector per STEPS = ceil(A_BITS/SLICE) cycles.
// Needs:  1 <= SLICE <= A_BITS. Outside, whatever gives sums[r] for a slice, LATENCY cycles after
//         it: the dot product of row r with COLS activations of SLICE bits, never below zero.
//         Every acc[r] in 0..2^ACC_W-1. slice holds the activations COPIES times, for rows that
//         would be too many for one register to drive.
//
// THRESHOLD_FILE as nn_threshold says.
//
// The slice of the highest bits comes first: the accumulator moves up by a slice each cycle
// (distributed arithmetic: Peled and Liu, 1974).
`default_nettype none

module nn_constant #(
  parameter int unsigned ROWS           = 4,
  parameter int unsigned COLS           = 9,
  parameter int unsigned A_BITS         = 8,
  parameter int unsigned SLICE          = 2,
  parameter int unsigned COPIES         = 1,
  parameter int unsigned SUM_W          = 8,
  parameter int unsigned LATENCY        = 6,
  parameter int unsigned ACC_W          = 14,
  parameter int unsigned THRESHOLDS     = 3,
  parameter int unsigned OUT_W          = 2,
  parameter              THRESHOLD_FILE = ""
) (
  input  wire                          clk,
  input  wire                          rst_n,

  output logic [COPIES*COLS*SLICE-1:0] slice,
  input  wire  [ROWS*SUM_W-1:0]        sums,

  input  wire  [COLS*A_BITS-1:0]       s_axis_tdata,
  input  wire                          s_axis_tvalid,
  output logic                         s_axis_tready,

  output logic [ROWS*OUT_W-1:0]        m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire                          m_axis_tready
);

  if (ROWS < 1 || COLS < 1 || SUM_W < 1 || LATENCY < 1) begin : gen_bad_size
    $error("nn_constant: ROWS, COLS, SUM_W and LATENCY must be at least 1");
  end
  if (SLICE < 1 || SLICE > A_BITS) begin : gen_bad_slice
    $error("nn_constant: SLICE must be 1 to A_BITS");
  end
  if (COPIES < 1) begin : gen_bad_copies
    $error("nn_constant: COPIES must be at least 1");
  end
  if (ACC_W < SUM_W) begin : gen_bad_acc_w
    $error("nn_constant: ACC_W must be at least SUM_W");
  end

  localparam int unsigned STEPS  = (A_BITS + SLICE - 1) / SLICE;
  localparam int unsigned STEP_W = (STEPS > 1) ? $clog2(STEPS) : 1;

  // ---------------------------------------------------------------- schedule
  // A beat stays at the input for all its steps and is taken with the last.
  logic [STEP_W-1:0] step_q, step_d;
  // Whether the step is the last, and whether the output takes another result: straight from a
  // register each, since all the rest waits for them.
  logic              last_q, room;
  logic              issue, ends;

  assign issue         = s_axis_tvalid && (!last_q || room);
  assign ends          = issue && last_q;
  assign s_axis_tready = ends;

  assign step_d = !issue ? step_q : last_q ? '0 : step_q + 1'b1;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      step_q <= '0;
      last_q <= STEPS == 1;
    end else begin
      step_q <= step_d;
      if (issue) last_q <= last_q ? STEPS == 1 : 32'(step_q) == STEPS - 2;
    end
  end

  logic [STEPS*COLS*SLICE-1:0] slices;
  for (genvar i = 0; i < int'(COLS); i++) begin : gen_act
    logic [STEPS*SLICE-1:0] act;
    assign act = (STEPS*SLICE)'(s_axis_tdata[i*A_BITS +: A_BITS]);
    for (genvar n = 0; n < int'(STEPS); n++) begin : gen_slice
      assign slices[(n*COLS+i)*SLICE +: SLICE] = act[(STEPS-1-n)*SLICE +: SLICE];
    end
  end

  logic [COLS*SLICE-1:0] slice_d;
  nn_choose #(
    .WORD_W(COLS * SLICE),
    .WORDS (STEPS)
  ) u_slice (
    .clk  (clk),
    .rst_n(rst_n),
    .next (step_d),
    .x    (slices),
    .y    (slice_d)
  );

  for (genvar c = 0; c < int'(COPIES); c++) begin : gen_copy
    if (COPIES > 1) begin : gen_one_of_many
      (* keep = "true" *) logic [COLS*SLICE-1:0] slice_q;
      always_ff @(posedge clk) slice_q <= slice_d;
      assign slice[c*int'(COLS*SLICE) +: COLS*SLICE] = slice_q;
    end else begin : gen_only
      always_ff @(posedge clk) slice <= slice_d;
    end
  end

  // What a slice needs to know when its sums come; [k] is k cycles after it was there.
  logic [LATENCY-1:0] run_q, first_q;
  logic [LATENCY+1:0] emit_q;

  always_ff @(posedge clk) first_q <= LATENCY'({first_q, step_q == '0});

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      run_q  <= '0;
      emit_q <= '0;
    end else begin
      run_q  <= LATENCY'({run_q, issue});
      emit_q <= {emit_q[LATENCY:0], ends};
    end
  end

  // ---------------------------------------------------------------- accumulators and thresholds
  logic [ROWS*ACC_W-1:0] acc_q;

  for (genvar r = 0; r < int'(ROWS); r++) begin : gen_acc
    // Whether a sum comes and whether it is a vector's first, for this row alone.
    (* keep = "true" *) logic run_r, first_r;
    logic [ACC_W-1:0] base;
    assign base = first_r ? '0 : acc_q[r*ACC_W +: ACC_W] << SLICE;
    always_ff @(posedge clk) begin
      run_r   <= run_q[LATENCY-1];
      first_r <= first_q[LATENCY-1];
      if (run_r) acc_q[r*ACC_W +: ACC_W] <= base + ACC_W'(sums[r*SUM_W +: SUM_W]);
    end
  end

  logic [ROWS*OUT_W-1:0] result;
  logic                  result_vld;

  nn_threshold #(
    .PE        (ROWS),
    .GROUPS    (1),
    .ACC_W     (ACC_W),
    .THRESHOLDS(THRESHOLDS),
    .OUT_W     (OUT_W),
    .SPACING   (STEPS),
    .INIT_FILE (THRESHOLD_FILE)
  ) u_threshold (
    .clk      (clk),
    .rst_n    (rst_n),
    .acc      (acc_q),
    .group    (1'b0),
    .acc_valid(emit_q[LATENCY+1]),
    .out      (result),
    .out_valid(result_vld)
  );

  // ---------------------------------------------------------------- output
  axis_reserve #(
    .DATA_W(ROWS * OUT_W),
    .DEPTH (32)
  ) u_output (
    .clk          (clk),
    .rst_n        (rst_n),
    .reserve      (ends),
    .room         (room),
    .s_axis_tdata (result),
    .s_axis_tvalid(result_vld),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire

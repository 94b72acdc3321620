// nn_residual - threshold count of accumulators to which a skip connection is added. The thresholds
//               of a row depend on the skip's code; or both are multiples of one scale, and the
//               thresholds are those of their sum.
// y[r] = sum_t( T[r][v[r]][t] <= acc[r] ), or sum_t( T[r][t] <= ACC_GAIN*acc[r] + SKIP_GAIN*v[r] )
// Stream: ROWS/PE beats of each input per vector, in row order: PE accumulators acc in two's
//         complement in a, PE codes v in b. A beat of PE elements out per beat of each.
// Rate:   one beat per SPACING cycles; latency 6 + PASSES cycles, PASSES the comparisons that a
//         comparator makes of a beat: ceil(THRESHOLDS / ceil(THRESHOLDS/SPACING)). An input is two
//         beats ahead of the other at most: what runs further ahead needs a FIFO before it.
// Needs:  ROWS % PE == 0, PE <= 10000; as many beats of a as of b. v is unsigned; with SKIP_GAIN
//         and SKIP_SIGNED it is in two's complement. SUM_W is ACC_W, or the bits of every sum in
//         two's complement.
//
// THRESHOLD_FILE: each lane p has memories of its own, INIT_FILE THRESHOLD_FILE_LLLL as
// nn_threshold says, LLLL the decimal digits of p: PE 1, group g*2^CODE_W + v has the thresholds of
// row g*PE + p with the code v, or group g has those of its sums, plus 2^(SUM_W-1), within
// 0..2^SUM_W-1. What nothing is to reach must be above all that occurs there, too.
`default_nettype none

module nn_residual #(
  parameter int unsigned ROWS           = 8,
  parameter int unsigned PE             = 2,
  parameter int unsigned ACC_W          = 8,
  parameter int unsigned CODE_W         = 2,
  parameter int unsigned THRESHOLDS     = 3,
  parameter int unsigned OUT_W          = 2,
  parameter int unsigned SPACING        = 1,
  parameter int          ACC_GAIN       = 0,
  parameter int          SKIP_GAIN      = 0,
  parameter bit          SKIP_SIGNED    = 0,
  parameter int unsigned SUM_W          = ACC_W,
  parameter              THRESHOLD_FILE = ""
) (
  input  wire                  clk,
  input  wire                  rst_n,

  input  wire  [PE*ACC_W-1:0]  a_axis_tdata,
  input  wire                  a_axis_tvalid,
  output logic                 a_axis_tready,

  input  wire  [PE*CODE_W-1:0] b_axis_tdata,
  input  wire                  b_axis_tvalid,
  output logic                 b_axis_tready,

  output logic [PE*OUT_W-1:0]  m_axis_tdata,
  output logic                 m_axis_tvalid,
  input  wire                  m_axis_tready
);

  if (PE < 1 || PE > 10000 || ROWS < 1 || ROWS % PE != 0) begin : gen_bad_pe
    $error("nn_residual: PE must divide ROWS, and be at most 10000");
  end
  if (ACC_W < 1 || CODE_W < 1) begin : gen_bad_width
    $error("nn_residual: ACC_W and CODE_W must be at least 1");
  end
  if (SPACING < 1) begin : gen_bad_spacing
    $error("nn_residual: SPACING must be at least 1");
  end
  if (THRESHOLDS < 1 || (THRESHOLDS >> OUT_W) != 0) begin : gen_bad_thresholds
    $error("nn_residual: THRESHOLDS must be at least 1 and less than 2^OUT_W");
  end

  if ((ACC_GAIN == 0) != (SKIP_GAIN == 0) || (SKIP_SIGNED && SKIP_GAIN == 0)) begin : gen_bad_gain
    $error("nn_residual: ACC_GAIN and SKIP_GAIN go together, and SKIP_SIGNED with both");
  end
  if (SUM_W < ACC_W || (SKIP_GAIN == 0 && SUM_W != ACC_W) || (SKIP_GAIN != 0 && SUM_W < CODE_W))
  begin : gen_bad_sum_w
    $error("nn_residual: SUM_W must hold the sums, and be ACC_W without SKIP_GAIN");
  end

  localparam int unsigned RF     = ROWS / PE;
  localparam int unsigned GRP_W  = (RF > 1) ? $clog2(RF) : 1;
  // A row group and a code, or a row group alone.
  localparam int unsigned GROUPS = (SKIP_GAIN == 0) ? RF << CODE_W : RF;
  localparam int unsigned TAG_W  = (GROUPS > 1) ? $clog2(GROUPS) : 1;

  logic [PE*ACC_W-1:0]  acc;
  logic [PE*CODE_W-1:0] code;
  logic                 pair_vld, issue;
  // Whether the thresholds are through with the beat before, and whether the output takes another
  // result: straight from a register each.
  logic                 rested, room;

  axis_join #(
    .A_W(PE * ACC_W),
    .B_W(PE * CODE_W)
  ) u_join (
    .clk          (clk),
    .rst_n        (rst_n),
    .a_axis_tdata (a_axis_tdata),
    .a_axis_tvalid(a_axis_tvalid),
    .a_axis_tready(a_axis_tready),
    .b_axis_tdata (b_axis_tdata),
    .b_axis_tvalid(b_axis_tvalid),
    .b_axis_tready(b_axis_tready),
    .m_axis_tdata ({code, acc}),
    .m_axis_tvalid(pair_vld),
    .m_axis_tready(rested && room)
  );

  // ---------------------------------------------------------------- schedule
  logic [GRP_W-1:0] grp_q;

  assign issue = pair_vld && rested && room;

  if (SPACING > 1) begin : gen_spaced
    localparam int unsigned LEFT_W = $clog2(SPACING);
    // Cycles until the next beat may follow.
    logic [LEFT_W-1:0] left_q;
    logic              rested_q;
    always_ff @(posedge clk) begin
      if (!rst_n) begin
        left_q   <= '0;
        rested_q <= 1'b1;
      end else if (issue) begin
        left_q   <= LEFT_W'(SPACING - 1);
        rested_q <= 1'b0;
      end else if (!rested_q) begin
        left_q   <= left_q - 1'b1;
        rested_q <= 32'(left_q) == 1;
      end
    end
    assign rested = rested_q;
  end else begin : gen_every_cycle
    assign rested = 1'b1;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) grp_q <= '0;
    else if (issue) grp_q <= (32'(grp_q) == RF - 1) ? '0 : grp_q + 1'b1;
  end

  // ---------------------------------------------------------------- thresholds
  // A lane reads the word that its own code asks for.
  logic [PE*OUT_W-1:0] result;
  logic [PE-1:0]       result_vld;

  for (genvar p = 0; p < int'(PE); p++) begin : gen_lane
    // "0" is 48.
    localparam logic [31:0] DIGITS = {
      8'(48 + p / 1000 % 10), 8'(48 + p / 100 % 10), 8'(48 + p / 10 % 10), 8'(48 + p % 10)
    };
    // Two's complement with the sign turned around is the value plus 2^(SUM_W-1), unsigned.
    localparam logic [SUM_W-1:0] SIGN = SUM_W'(1) << (SUM_W - 1);
    logic [SUM_W-1:0] sum;
    logic [TAG_W-1:0] group;
    if (SKIP_GAIN == 0) begin : gen_by_code
      assign sum   = SUM_W'(acc[p*ACC_W +: ACC_W]);
      assign group = TAG_W'({grp_q, code[p*CODE_W +: CODE_W]});
    end else begin : gen_of_sum
      nn_weigh #(
        .A_W     (ACC_W),
        .B_W     (CODE_W),
        .OUT_W   (SUM_W),
        .A_SIGNED(1),
        .B_SIGNED(SKIP_SIGNED),
        .A_GAIN  (ACC_GAIN),
        .B_GAIN  (SKIP_GAIN)
      ) u_weigh (
        .a(acc[p*ACC_W +: ACC_W]),
        .b(code[p*CODE_W +: CODE_W]),
        .y(sum)
      );
      assign group = TAG_W'(grp_q);
    end
    nn_threshold #(
      .PE        (1),
      .GROUPS    (GROUPS),
      .ACC_W     (SUM_W),
      .THRESHOLDS(THRESHOLDS),
      .OUT_W     (OUT_W),
      // Not 0, by which it would divide before the guard above has had its say.
      .SPACING   ((SPACING > 0) ? SPACING : 1),
      .INIT_FILE ({THRESHOLD_FILE, "_", DIGITS})
    ) u_threshold (
      .clk      (clk),
      .rst_n    (rst_n),
      .acc      (sum ^ SIGN),
      .group    (group),
      .acc_valid(issue),
      .out      (result[p*OUT_W +: OUT_W]),
      .out_valid(result_vld[p])
    );
  end

  // ---------------------------------------------------------------- output
  axis_reserve #(
    .DATA_W(PE * OUT_W),
    .DEPTH (32)
  ) u_output (
    .clk          (clk),
    .rst_n        (rst_n),
    .reserve      (issue),
    .room         (room),
    .s_axis_tdata (result),
    .s_axis_tvalid(result_vld[0]),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

  // The lanes are in step.
  if (PE > 1) begin : gen_unused
    logic unused;
    assign unused = &{1'b0, result_vld[PE-1:1]};
  end

endmodule

`default_nettype wire

// nn_argmax - label of the largest score, then the logits themselves.
// y[0] = min{i : s[i] = max(s)}, s[i] = max(GAIN[i]*x[i] + BIAS[i], FLOOR)
// y[1+i] = x[i], or s[i] where there is no gain and no bias; sign-extended to 32 bits
// Stream: CLASSES/IN_ELEMS beats of signed logits in per frame; CLASSES+1 beats of 32 bits out,
//         m_axis_tlast on the last.
// Rate:   one frame per CLASSES+1 cycles; two frames are buffered.
// Needs:  CLASSES % IN_ELEMS == 0, LOGIT_W <= 32; GAIN_FILE, GAIN_W, BIAS_W and DSP as nn_score has
//         them. Where GAIN_W, BIAS_W and FLOORED are 0, a logit is its own score: SCORE_W is
//         LOGIT_W then, and up to 32 where only FLOORED is not.
`default_nettype none

module nn_argmax #(
  parameter int unsigned CLASSES   = 10,
  parameter int unsigned IN_ELEMS  = 1,
  parameter int unsigned LOGIT_W   = 16,
  parameter int unsigned GAIN_W    = 0,
  parameter int unsigned BIAS_W    = 0,
  parameter int unsigned SCORE_W   = LOGIT_W,
  parameter              GAIN_FILE = "",
  parameter int unsigned DSP       = 0,
  parameter int unsigned FLOORED   = 0,
  parameter int          FLOOR     = 0
) (
  input  wire                         clk,
  input  wire                         rst_n,

  input  wire  [IN_ELEMS*LOGIT_W-1:0] s_axis_tdata,
  input  wire                         s_axis_tvalid,
  output logic                        s_axis_tready,

  output logic [31:0]                 m_axis_tdata,
  output logic                        m_axis_tlast,
  output logic                        m_axis_tvalid,
  input  wire                         m_axis_tready
);

  if (CLASSES < 1) begin : gen_bad_classes
    $error("nn_argmax: CLASSES must be at least 1");
  end
  if (IN_ELEMS < 1 || CLASSES % IN_ELEMS != 0) begin : gen_bad_elems
    $error("nn_argmax: IN_ELEMS must divide CLASSES");
  end
  if (LOGIT_W < 1 || LOGIT_W > 32) begin : gen_bad_logit_w
    $error("nn_argmax: LOGIT_W must be 1 to 32");
  end

  // Whether gains or biases make scores of the logits; whether a score may differ from its logit.
  localparam bit          TABLE   = GAIN_W + BIAS_W > 0;
  localparam bit          SCORED  = TABLE || FLOORED != 0;
  localparam int unsigned OUT_W   = TABLE ? LOGIT_W : SCORE_W;
  localparam int unsigned INDEX_W = (CLASSES > 1) ? $clog2(CLASSES) : 1;
  localparam int unsigned COUNT_W = $clog2(CLASSES + 1);

  if (SCORE_W < LOGIT_W || (!SCORED && SCORE_W != LOGIT_W) || OUT_W > 32) begin : gen_bad_score_w
    $error("nn_argmax: SCORE_W must be LOGIT_W, or with a floor LOGIT_W to 32, if no gains are");
  end

  // One logit per cycle.
  logic [LOGIT_W-1:0] logit;
  logic               logit_vld, logit_rdy;

  axis_width #(
    .ELEM_W   (LOGIT_W),
    .IN_ELEMS (IN_ELEMS),
    .OUT_ELEMS(1)
  ) u_width (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (s_axis_tdata),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready),
    .m_axis_tdata (logit),
    .m_axis_tvalid(logit_vld),
    .m_axis_tready(logit_rdy)
  );

  // The logit as it is put out, and its score.
  logic        [OUT_W-1:0]   value;
  logic signed [SCORE_W-1:0] score;
  logic                      value_vld, value_rdy;

  if (SCORED) begin : gen_score
    logic [SCORE_W+LOGIT_W-1:0] scored;
    nn_score #(
      .CLASSES  (CLASSES),
      .LOGIT_W  (LOGIT_W),
      .GAIN_W   (GAIN_W),
      .BIAS_W   (BIAS_W),
      .SCORE_W  (SCORE_W),
      .GAIN_FILE(GAIN_FILE),
      .DSP      (DSP),
      .FLOORED  (FLOORED),
      .FLOOR    (FLOOR)
    ) u_score (
      .clk          (clk),
      .rst_n        (rst_n),
      .s_axis_tdata (logit),
      .s_axis_tvalid(logit_vld),
      .s_axis_tready(logit_rdy),
      .m_axis_tdata (scored),
      .m_axis_tvalid(value_vld),
      .m_axis_tready(value_rdy)
    );
    assign score = scored[LOGIT_W +: SCORE_W];
    assign value = TABLE ? scored[0 +: OUT_W] : scored[LOGIT_W +: OUT_W];
  end else begin : gen_as_it_is
    assign value     = logit;
    assign score     = logit;
    assign value_vld = logit_vld;
    assign logit_rdy = value_rdy;
  end

  // Write side: two banks of logits, the best so far, the label of each full bank.
  logic                      wr_bank_q, rd_bank_q;
  logic [1:0]                full_q;
  logic [INDEX_W-1:0]        wr_index_q, best_index_q, best_index_d;
  logic signed [SCORE_W-1:0] best_q;
  logic [INDEX_W-1:0]        label_q [2];
  logic                      wr_accept, wr_last, better;

  assign value_rdy    = !full_q[wr_bank_q];
  assign wr_accept    = value_vld && value_rdy;
  assign wr_last      = 32'(wr_index_q) == CLASSES - 1;
  assign better       = (wr_index_q == '0) || (score > best_q);
  assign best_index_d = better ? wr_index_q : best_index_q;

  always_ff @(posedge clk) begin
    if (wr_accept && better) best_q <= score;
    if (wr_accept) best_index_q <= best_index_d;
    if (wr_accept && wr_last) label_q[wr_bank_q] <= best_index_d;
  end

  // Read side: beat 0 is the label, beat i the logit i-1.
  logic [COUNT_W-1:0] rd_beat_q;
  logic [INDEX_W-1:0] rd_index_q;
  logic [31:0]        out_q;
  logic               out_vld_q, out_last_q;
  logic               rd_step, rd_last;
  logic [OUT_W-1:0]   rd_word;
  logic [31:0]        rd_value;

  assign rd_step  = full_q[rd_bank_q] && (!out_vld_q || m_axis_tready);
  assign rd_last  = 32'(rd_beat_q) == CLASSES;

  mem_ram #(
    .WIDTH  (OUT_W),
    .DEPTH  (2 << INDEX_W),
    .STYLE  (1),
    .OUT_REG(0)
  ) u_banks (
    .clk    (clk),
    .wr_en  (wr_accept),
    .wr_addr({wr_bank_q, wr_index_q}),
    .wr_data(value),
    .rd_en  (1'b1),
    .rd_addr({rd_bank_q, rd_index_q}),
    .rd_data(rd_word)
  );

  if (OUT_W < 32) begin : gen_extended
    assign rd_value = {{(32-OUT_W){rd_word[OUT_W-1]}}, rd_word};
  end else begin : gen_as_wide
    assign rd_value = rd_word;
  end

  always_ff @(posedge clk) begin
    if (rd_step) begin
      out_q      <= (rd_beat_q == '0) ? 32'(label_q[rd_bank_q]) : rd_value;
      out_last_q <= rd_last;
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      wr_bank_q  <= 1'b0;
      rd_bank_q  <= 1'b0;
      full_q     <= '0;
      wr_index_q <= '0;
      rd_beat_q  <= '0;
      rd_index_q <= '0;
      out_vld_q  <= 1'b0;
    end else begin
      if (wr_accept) begin
        wr_index_q <= wr_last ? '0 : wr_index_q + 1'b1;
        if (wr_last) begin
          full_q[wr_bank_q] <= 1'b1;
          wr_bank_q         <= !wr_bank_q;
        end
      end
      if (rd_step) begin
        rd_beat_q  <= rd_last ? '0 : rd_beat_q + 1'b1;
        rd_index_q <= (rd_beat_q == '0 || rd_last) ? '0 : rd_index_q + 1'b1;
        if (rd_last) begin
          full_q[rd_bank_q] <= 1'b0;
          rd_bank_q         <= !rd_bank_q;
        end
      end
      if (rd_step) out_vld_q <= 1'b1;
      else if (m_axis_tready) out_vld_q <= 1'b0;
    end
  end

  assign m_axis_tdata  = out_q;
  assign m_axis_tlast  = out_last_q;
  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(33)) u_checker (.m_axis_tdata({m_axis_tlast, m_axis_tdata}), .*);
`endif

endmodule

`default_nettype wire

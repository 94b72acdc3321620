// nn_argmax - label of the largest logit, then the logits themselves.
// y[0] = min{i : x[i] = max(x)}, y[1+i] = x[i], sign-extended to 32 bits
// Stream: CLASSES/IN_ELEMS beats of signed logits in per frame; CLASSES+1 beats of 32 bits out,
//         m_axis_tlast on the last.
// Rate:   one frame per CLASSES+1 cycles; two frames are buffered.
// Needs:  CLASSES % IN_ELEMS == 0, CLASSES >= 2, LOGIT_W <= 32.
`default_nettype none

module nn_argmax #(
  parameter int unsigned CLASSES  = 10,
  parameter int unsigned IN_ELEMS = 1,
  parameter int unsigned LOGIT_W  = 16
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

  if (CLASSES < 2) begin : gen_bad_classes
    $error("nn_argmax: CLASSES must be at least 2");
  end
  if (IN_ELEMS < 1 || CLASSES % IN_ELEMS != 0) begin : gen_bad_elems
    $error("nn_argmax: IN_ELEMS must divide CLASSES");
  end
  if (LOGIT_W < 1 || LOGIT_W > 32) begin : gen_bad_logit_w
    $error("nn_argmax: LOGIT_W must be 1 to 32");
  end

  localparam int unsigned INDEX_W = $clog2(CLASSES);
  localparam int unsigned COUNT_W = $clog2(CLASSES + 1);

  // One logit per cycle.
  logic signed [LOGIT_W-1:0] logit;
  logic                      logit_vld, logit_rdy;

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

  // Write side: two banks of logits, the best so far, the label of each full bank.
  (* ram_style = "distributed" *) logic [LOGIT_W-1:0] bank [2 << INDEX_W];
  logic                      wr_bank_q, rd_bank_q;
  logic [1:0]                full_q;
  logic [INDEX_W-1:0]        wr_index_q, best_index_q, best_index_d;
  logic signed [LOGIT_W-1:0] best_q;
  logic [INDEX_W-1:0]        label_q [2];
  logic                      wr_accept, wr_last, better;

  assign logit_rdy    = !full_q[wr_bank_q];
  assign wr_accept    = logit_vld && logit_rdy;
  assign wr_last      = 32'(wr_index_q) == CLASSES - 1;
  assign better       = (wr_index_q == '0) || (logit > best_q);
  assign best_index_d = better ? wr_index_q : best_index_q;

  always_ff @(posedge clk) begin
    if (wr_accept) bank[{wr_bank_q, wr_index_q}] <= logit;
    if (wr_accept && better) best_q <= logit;
    if (wr_accept) best_index_q <= best_index_d;
    if (wr_accept && wr_last) label_q[wr_bank_q] <= best_index_d;
  end

  // Read side: beat 0 is the label, beat i the logit i-1.
  logic [COUNT_W-1:0] rd_beat_q;
  logic [INDEX_W-1:0] rd_index_q;
  logic [31:0]        out_q;
  logic               out_vld_q, out_last_q;
  logic               rd_step, rd_last;
  logic [LOGIT_W-1:0] rd_logit;

  assign rd_step  = full_q[rd_bank_q] && (!out_vld_q || m_axis_tready);
  assign rd_last  = 32'(rd_beat_q) == CLASSES;
  assign rd_logit = bank[{rd_bank_q, rd_index_q}];

  always_ff @(posedge clk) begin
    if (rd_step) begin
      out_q      <= (rd_beat_q == '0) ? 32'(label_q[rd_bank_q]) : 32'(signed'(rd_logit));
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
  hold_rule : assert property (@(posedge clk) disable iff (!rst_n)
    m_axis_tvalid && !m_axis_tready
      |=> m_axis_tvalid && $stable({m_axis_tlast, m_axis_tdata}));
`endif

endmodule

`default_nettype wire

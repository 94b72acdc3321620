// nn_window - sliding KERNEL x KERNEL windows of a padded image.
// y[r][c] = x[r*STRIDE-PAD +: KERNEL][c*STRIDE-PAD +: KERNEL], elements FILL outside the image
// Stream: HEIGHT*WIDTH pixels of CHANNELS elements in, row-major; OH*OW windows out, row-major,
//         each with KERNEL*KERNEL*CHANNELS elements, order (kh, kw, channel), channel fastest.
//         PIXELS of either make a beat.
// Rate:   one beat in per cycle, HEIGHT*WIDTH/PIXELS cycles per frame while frames follow each
//         other. The tail of a frame runs together with the first pixels of the next, without a
//         gap. If no other frame has begun when the tail is due, TAIL cycles drain the frame.
//         begun counts, modulo 256, the frames of which a part has entered the accelerator.
//         RAM_STYLE: "distributed" or "block", where KERNEL-1 lines of the image are kept.
//         PROMPT == 0: a window is followed by another one after a cycle; then no path leads from
//         m_axis_tready to the pixels' side.
// Needs:  2*PAD < KERNEL, WIDTH % PIXELS == 0, OW % PIXELS == 0, WIDTH/PIXELS >= 2; the last pixel
//         of the first window in the frame; STRIDE == 1 where PIXELS > 1.
`default_nettype none

module nn_window #(
  parameter int unsigned ELEM_W    = 2,
  parameter int unsigned CHANNELS  = 4,
  parameter int unsigned HEIGHT    = 8,
  parameter int unsigned WIDTH     = 8,
  parameter int unsigned KERNEL    = 3,
  parameter int unsigned STRIDE    = 1,
  parameter int unsigned PAD       = 1,
  parameter int unsigned FILL      = 0,
  parameter int unsigned PIXELS    = 1,
  parameter bit          PROMPT    = 1,
  parameter string       RAM_STYLE = "distributed"
) (
  input  wire                                             clk,
  input  wire                                             rst_n,
  input  wire  [7:0]                                      begun,

  input  wire  [PIXELS*CHANNELS*ELEM_W-1:0]               s_axis_tdata,
  input  wire                                             s_axis_tvalid,
  output logic                                            s_axis_tready,

  output logic [PIXELS*KERNEL*KERNEL*CHANNELS*ELEM_W-1:0] m_axis_tdata,
  output logic                                            m_axis_tvalid,
  input  wire                                             m_axis_tready
);

  localparam int unsigned PIX_W  = CHANNELS * ELEM_W;
  localparam int unsigned BEAT_W = PIXELS * PIX_W;
  // Beats of a row and of a frame; those at the left and right of its own that a window reaches.
  localparam int unsigned COLS   = WIDTH / PIXELS;
  localparam int unsigned BEATS  = HEIGHT * COLS;
  localparam int unsigned LEFT   = (PAD + PIXELS - 1) / PIXELS;
  localparam int unsigned RIGHT  = (KERNEL - 1 - PAD + PIXELS - 1) / PIXELS;
  localparam int unsigned REACH  = LEFT + 1 + RIGHT;
  // Columns of pixels that a beat of windows covers.
  localparam int unsigned SPAN   = KERNEL + PIXELS - 1;
  // Pushing beat n completes the windows whose top left corners are at raster position n - LAG
  // (corners counted from (-PAD, -PAD), PIXELS of them a position).
  localparam int unsigned LAG    = (KERNEL - 1 - PAD) * COLS + RIGHT;

  localparam int unsigned OH       = (HEIGHT + 2 * PAD - KERNEL) / STRIDE + 1;
  localparam int unsigned OW       = (WIDTH + 2 * PAD - KERNEL) / STRIDE + 1;
  localparam int unsigned LAST_ROW = (OH - 1) * STRIDE;
  localparam int unsigned LAST_COL = (OW / PIXELS - 1) * STRIDE;
  localparam int unsigned NEEDED   = LAST_ROW * COLS + LAST_COL + LAG + 1;
  localparam int unsigned TAIL     = (NEEDED > BEATS) ? NEEDED - BEATS : 0;
  // Position of the windows before the first beat of a frame: raster index -LAG, modulo BEATS.
  localparam int unsigned FIRST     = (BEATS - LAG) % BEATS;
  localparam int unsigned FIRST_ROW = FIRST / COLS;
  localparam int unsigned FIRST_COL = FIRST % COLS;

  localparam int unsigned BEAT_CNT_W = $clog2(BEATS);
  localparam int unsigned ROW_W      = (HEIGHT > 1) ? $clog2(HEIGHT) : 1;
  localparam int unsigned COL_W      = $clog2(COLS);

  if (ELEM_W < 1 || CHANNELS < 1 || KERNEL < 1 || STRIDE < 1) begin : gen_bad_size
    $error("nn_window: ELEM_W, CHANNELS, KERNEL and STRIDE must be at least 1");
  end
  if (PIXELS < 1 || WIDTH % PIXELS != 0 || OW % PIXELS != 0 || (PIXELS > 1 && STRIDE > 1)) begin
    : gen_bad_pixels
    $error("nn_window: PIXELS must divide WIDTH and the windows of a row, or be 1 with a STRIDE");
  end
  if (RAM_STYLE != "distributed" && RAM_STYLE != "block") begin : gen_bad_style
    $error("nn_window: RAM_STYLE must be distributed or block");
  end
  if ((FILL >> ELEM_W) != 0) begin : gen_bad_fill
    $error("nn_window: FILL must fit into ELEM_W bits");
  end
  if (WIDTH < 2 * PIXELS) begin : gen_bad_width
    $error("nn_window: WIDTH must be at least 2*PIXELS");
  end
  if (2 * PAD >= KERNEL) begin : gen_bad_pad
    $error("nn_window: 2*PAD must be less than KERNEL");
  end
  if (HEIGHT + 2 * PAD < KERNEL || WIDTH + 2 * PAD < KERNEL) begin : gen_bad_kernel
    $error("nn_window: the padded image must be at least KERNEL high and wide");
  end
  if (LAG >= BEATS) begin : gen_bad_image
    $error("nn_window: the last pixel of the first window must be in the frame");
  end

  // Position of the next push: its beat in the frame, its windows' corners, its delay-line slot.
  logic [BEAT_CNT_W-1:0] beat_q;
  logic [ROW_W-1:0]      row_q;
  logic [COL_W-1:0]      col_q;
  // The corners lie in a frame that has been pushed (not in the run-up to the first one).
  logic                  live_q;
  logic                  drain_q;
  // Frames of which a beat has come, and whether another one is on its way.
  logic [7:0]            seen_q;
  logic                  more_q;

  logic win_vld_q, out_vld_q;
  logic can_push, push, dummy, accept;
  logic tail_due, at_last, row_hit, col_hit;

  assign can_push      = !win_vld_q || !out_vld_q || (PROMPT && m_axis_tready);
  assign tail_due      = (TAIL != 0) && (beat_q == '0) && live_q;
  assign s_axis_tready = can_push && !drain_q;
  assign accept        = s_axis_tvalid && s_axis_tready;
  assign dummy         = can_push && (drain_q || (tail_due && !s_axis_tvalid && !more_q));
  assign push          = accept || dummy;
  assign at_last       = (32'(row_q) == LAST_ROW) && (32'(col_q) == LAST_COL);

  if (STRIDE == 1) begin : gen_dense
    assign row_hit = 32'(row_q) <= LAST_ROW;
    assign col_hit = 32'(col_q) <= LAST_COL;
  end else begin : gen_strided
    localparam int unsigned PHASE_W = $clog2(STRIDE);
    logic [PHASE_W-1:0] row_phase_q, col_phase_q;
    // Right from the first wrap to position 0 on; before it no window is live.
    always_ff @(posedge clk) begin
      if (!rst_n) begin
        row_phase_q <= '0;
        col_phase_q <= '0;
      end else if (push) begin
        if (32'(col_q) == COLS - 1) begin
          col_phase_q <= '0;
          if (32'(row_q) == HEIGHT - 1) row_phase_q <= '0;
          else row_phase_q <= (32'(row_phase_q) == STRIDE - 1) ? '0 : row_phase_q + 1'b1;
        end else begin
          col_phase_q <= (32'(col_phase_q) == STRIDE - 1) ? '0 : col_phase_q + 1'b1;
        end
      end
    end
    assign row_hit = (32'(row_q) <= LAST_ROW) && (row_phase_q == '0);
    assign col_hit = (32'(col_q) <= LAST_COL) && (col_phase_q == '0);
  end

  always_ff @(posedge clk) begin
    if (!rst_n || (dummy && at_last)) begin
      beat_q  <= '0;
      row_q   <= ROW_W'(FIRST_ROW);
      col_q   <= COL_W'(FIRST_COL);
      live_q  <= (LAG == 0);
      drain_q <= 1'b0;
    end else if (push) begin
      if (dummy) drain_q <= 1'b1;
      else beat_q <= (32'(beat_q) == BEATS - 1) ? '0 : beat_q + 1'b1;
      if (32'(col_q) != COLS - 1) begin
        col_q <= col_q + 1'b1;
        if (at_last) live_q <= 1'b0;
      end else begin
        col_q <= '0;
        if (32'(row_q) != HEIGHT - 1) begin
          row_q <= row_q + 1'b1;
          if (at_last) live_q <= 1'b0;
        end else begin
          row_q  <= '0;
          live_q <= 1'b1;
        end
      end
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      seen_q <= '0;
      more_q <= 1'b0;
    end else begin
      if (accept && beat_q == '0) seen_q <= seen_q + 1'b1;
      more_q <= begun != seen_q;
    end
  end

  // The newest column of the window: the beat itself under KERNEL-1 delay lines.
  logic [KERNEL*BEAT_W-1:0] column;

  if (KERNEL > 1) begin : gen_lines
    localparam int unsigned LINES_W = (KERNEL - 1) * BEAT_W;
    logic [COL_W-1:0]   slot_q, slot_d;
    logic [LINES_W-1:0] lines_rd;

    assign column = {s_axis_tdata, lines_rd};
    assign slot_d = (32'(slot_q) == COLS - 1) ? '0 : slot_q + 1'b1;

    always_ff @(posedge clk) begin
      if (!rst_n) slot_q <= '0;
      else if (push) slot_q <= slot_d;
    end

    // Attributes take no parameters, hence one branch per style.
    if (RAM_STYLE == "block") begin : gen_block
      (* ram_style = "block" *) logic [LINES_W-1:0] lines [COLS];
      logic [LINES_W-1:0] lines_q;
      // The slot of the next push is read with this one; what is read after a reset is not used.
      always_ff @(posedge clk) begin
        if (push) begin
          lines[slot_q] <= column[BEAT_W +: LINES_W];
          lines_q       <= lines[slot_d];
        end
      end
      assign lines_rd = lines_q;
    end else begin : gen_distributed
      (* ram_style = "distributed" *) logic [LINES_W-1:0] lines [COLS];
      always_ff @(posedge clk) begin
        if (push) lines[slot_q] <= column[BEAT_W +: LINES_W];
      end
      assign lines_rd = lines[slot_q];
    end
  end else begin : gen_no_lines
    assign column = s_axis_tdata;
  end

  // Without a stride the columns at the left are still in the windows before.
  localparam int unsigned KEPT = (STRIDE == 1) ? PAD : 0;
  localparam int unsigned FROM = (STRIDE == 1) ? LEFT : 0;

  // The windows, beat by beat, and which of their rows and columns lie in the image.
  logic [KERNEL*BEAT_W-1:0] win_q [FROM:REACH-1];
  logic [KERNEL-1:0]        row_in_q;
  logic [SPAN-1:0]          col_in_q;
  logic                     out_load;

  always_ff @(posedge clk) begin
    if (push) begin
      for (int b = int'(FROM); b + 1 < int'(REACH); b++) win_q[b] <= win_q[b+1];
      win_q[REACH-1] <= column;
      for (int k = 0; k < int'(KERNEL); k++) begin
        row_in_q[k] <= (int'(32'(row_q)) + k >= int'(PAD))
                    && (int'(32'(row_q)) + k < int'(HEIGHT + PAD));
      end
      for (int k = 0; k < int'(SPAN); k++) begin
        col_in_q[k] <= (int'(32'(col_q) * PIXELS) + k >= int'(PAD))
                    && (int'(32'(col_q) * PIXELS) + k < int'(WIDTH + PAD));
      end
    end
  end

  assign out_load = win_vld_q && (!out_vld_q || m_axis_tready);

  // Written so that a tap outside the image is a synchronous clear or set: no LUT per bit, and so
  // that each tap has an enable of its own: no LUT drives them all.
  for (genvar kh = 0; kh < int'(KERNEL); kh++) begin : gen_tap_row
    for (genvar k = 0; k < int'(SPAN); k++) begin : gen_tap
      localparam int unsigned AT = LEFT * PIXELS - PAD + k;
      logic [PIX_W-1:0] tap_d, tap_q;
      logic             in_image;
      assign in_image = row_in_q[kh] && col_in_q[k];
      if (k < int'(KEPT)) begin : gen_kept
        assign tap_d = gen_tap[k+int'(PIXELS)].tap_q;
      end else begin : gen_new
        assign tap_d = win_q[AT/PIXELS][kh*BEAT_W + AT%PIXELS*PIX_W +: PIX_W];
      end
      always_ff @(posedge clk) begin
        if (out_load && !in_image) tap_q <= {CHANNELS{ELEM_W'(FILL)}};
        else if (out_load && in_image) tap_q <= tap_d;
      end
      for (genvar p = 0; p < int'(PIXELS); p++) begin : gen_window
        if (k >= p && k - p < int'(KERNEL)) begin : gen_covered
          assign m_axis_tdata[((p*int'(KERNEL)+kh)*int'(KERNEL)+k-p)*PIX_W +: PIX_W] = tap_q;
        end
      end
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      win_vld_q <= 1'b0;
      out_vld_q <= 1'b0;
    end else begin
      if (push) win_vld_q <= live_q && row_hit && col_hit;
      else if (out_load) win_vld_q <= 1'b0;
      if (out_load) out_vld_q <= 1'b1;
      else if (m_axis_tready) out_vld_q <= 1'b0;
    end
  end

  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  hold_rule : assert property (@(posedge clk) disable iff (!rst_n)
    m_axis_tvalid && !m_axis_tready |=> m_axis_tvalid && $stable(m_axis_tdata));
`endif

endmodule

`default_nettype wire

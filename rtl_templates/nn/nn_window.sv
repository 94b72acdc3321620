// nn_window - sliding KERNEL x KERNEL windows of a padded image.
// y[r][c] = x[r*STRIDE-PAD +: KERNEL][c*STRIDE-PAD +: KERNEL], elements FILL outside the image
// Stream: HEIGHT*WIDTH pixels of CHANNELS elements in, row-major; OH*OW windows out, row-major,
//         each with KERNEL*KERNEL*CHANNELS elements, order (kh, kw, channel), channel fastest.
// Rate:   one pixel in per cycle, HEIGHT*WIDTH cycles per frame while frames follow each other.
//         The tail of a frame runs together with the first pixels of the next, without a gap. If
//         no other frame has begun when the tail is due, TAIL cycles drain the frame instead.
//         begun counts, modulo 256, the frames of which a part has entered the accelerator.
//         PROMPT == 0: a window is followed by another one after a cycle; then no path leads from
//         m_axis_tready to the pixels' side.
// Needs:  2*PAD < KERNEL, WIDTH >= 2, (KERNEL-1-PAD)*(WIDTH+1) < HEIGHT*WIDTH.
`default_nettype none

module nn_window #(
  parameter int unsigned ELEM_W   = 2,
  parameter int unsigned CHANNELS = 4,
  parameter int unsigned HEIGHT   = 8,
  parameter int unsigned WIDTH    = 8,
  parameter int unsigned KERNEL   = 3,
  parameter int unsigned STRIDE   = 1,
  parameter int unsigned PAD      = 1,
  parameter int unsigned FILL     = 0,
  parameter bit          PROMPT   = 1
) (
  input  wire                                      clk,
  input  wire                                      rst_n,
  input  wire  [7:0]                               begun,

  input  wire  [CHANNELS*ELEM_W-1:0]               s_axis_tdata,
  input  wire                                      s_axis_tvalid,
  output logic                                     s_axis_tready,

  output logic [KERNEL*KERNEL*CHANNELS*ELEM_W-1:0] m_axis_tdata,
  output logic                                     m_axis_tvalid,
  input  wire                                      m_axis_tready
);

  localparam int unsigned PIX_W  = CHANNELS * ELEM_W;
  localparam int unsigned PIXELS = HEIGHT * WIDTH;
  // Pushing pixel n completes the window whose top left corner is at raster position n - LAG
  // (corner counted from (-PAD, -PAD)).
  localparam int unsigned LAG    = (KERNEL - 1 - PAD) * (WIDTH + 1);

  if (ELEM_W < 1 || CHANNELS < 1 || KERNEL < 1 || STRIDE < 1) begin : gen_bad_size
    $error("nn_window: ELEM_W, CHANNELS, KERNEL and STRIDE must be at least 1");
  end
  if ((FILL >> ELEM_W) != 0) begin : gen_bad_fill
    $error("nn_window: FILL must fit into ELEM_W bits");
  end
  if (WIDTH < 2) begin : gen_bad_width
    $error("nn_window: WIDTH must be at least 2");
  end
  if (2 * PAD >= KERNEL) begin : gen_bad_pad
    $error("nn_window: 2*PAD must be less than KERNEL");
  end
  if (HEIGHT + 2 * PAD < KERNEL || WIDTH + 2 * PAD < KERNEL) begin : gen_bad_kernel
    $error("nn_window: the padded image must be at least KERNEL high and wide");
  end
  if (LAG >= PIXELS) begin : gen_bad_image
    $error("nn_window: (KERNEL-1-PAD)*(WIDTH+1) must be less than HEIGHT*WIDTH");
  end

  localparam int unsigned OH       = (HEIGHT + 2 * PAD - KERNEL) / STRIDE + 1;
  localparam int unsigned OW       = (WIDTH + 2 * PAD - KERNEL) / STRIDE + 1;
  localparam int unsigned LAST_ROW = (OH - 1) * STRIDE;
  localparam int unsigned LAST_COL = (OW - 1) * STRIDE;
  localparam int unsigned NEEDED   = LAST_ROW * WIDTH + LAST_COL + LAG + 1;
  localparam int unsigned TAIL     = (NEEDED > PIXELS) ? NEEDED - PIXELS : 0;
  // Position of the window before the first pixel of a frame: raster index -LAG, modulo PIXELS.
  localparam int unsigned FIRST     = (PIXELS - LAG) % PIXELS;
  localparam int unsigned FIRST_ROW = FIRST / WIDTH;
  localparam int unsigned FIRST_COL = FIRST % WIDTH;

  localparam int unsigned PIXEL_CNT_W = (PIXELS > 1) ? $clog2(PIXELS) : 1;
  localparam int unsigned ROW_W       = (HEIGHT > 1) ? $clog2(HEIGHT) : 1;
  localparam int unsigned COL_W       = $clog2(WIDTH);

  // Position of the next push: its pixel in the frame, its window's corner, its delay-line slot.
  logic [PIXEL_CNT_W-1:0] pixel_q;
  logic [ROW_W-1:0]       row_q;
  logic [COL_W-1:0]       col_q;
  // The window's corner lies in a frame that has been pushed (not in the run-up to the first one).
  logic                   live_q;
  logic                   drain_q;
  // Frames of which a pixel has come, and whether another one is on its way.
  logic [7:0]             seen_q;
  logic                   more_q;

  logic win_vld_q, out_vld_q;
  logic can_push, push, dummy, accept;
  logic tail_due, at_last, row_hit, col_hit;

  assign can_push      = !win_vld_q || !out_vld_q || (PROMPT && m_axis_tready);
  assign tail_due      = (TAIL != 0) && (pixel_q == '0) && live_q;
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
        if (32'(col_q) == WIDTH - 1) begin
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
      pixel_q <= '0;
      row_q   <= ROW_W'(FIRST_ROW);
      col_q   <= COL_W'(FIRST_COL);
      live_q  <= (LAG == 0);
      drain_q <= 1'b0;
    end else if (push) begin
      if (dummy) drain_q <= 1'b1;
      else pixel_q <= (32'(pixel_q) == PIXELS - 1) ? '0 : pixel_q + 1'b1;
      if (32'(col_q) != WIDTH - 1) begin
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
      if (accept && pixel_q == '0) seen_q <= seen_q + 1'b1;
      more_q <= begun != seen_q;
    end
  end

  // The newest column of the window: the pixel itself under KERNEL-1 delay lines.
  logic [KERNEL*PIX_W-1:0] column;

  if (KERNEL > 1) begin : gen_lines
    localparam int unsigned LINES_W = (KERNEL - 1) * PIX_W;
    (* ram_style = "distributed" *) logic [LINES_W-1:0] lines [WIDTH];
    logic [COL_W-1:0]   slot_q;
    logic [LINES_W-1:0] lines_rd;

    assign lines_rd = lines[slot_q];
    assign column   = {s_axis_tdata, lines_rd};

    always_ff @(posedge clk) begin
      if (push) lines[slot_q] <= column[PIX_W +: LINES_W];
    end

    always_ff @(posedge clk) begin
      if (!rst_n) slot_q <= '0;
      else if (push) slot_q <= (32'(slot_q) == WIDTH - 1) ? '0 : slot_q + 1'b1;
    end
  end else begin : gen_no_lines
    assign column = s_axis_tdata;
  end

  // The window, column by column, and where it lies in the image.
  logic [KERNEL*PIX_W-1:0] win_q [KERNEL];
  logic [KERNEL-1:0]       row_in_q, col_in_q;
  logic                    out_load;

  always_ff @(posedge clk) begin
    if (push) begin
      for (int k = 0; k + 1 < int'(KERNEL); k++) win_q[k] <= win_q[k+1];
      win_q[KERNEL-1] <= column;
      for (int k = 0; k < int'(KERNEL); k++) begin
        row_in_q[k] <= (int'(32'(row_q)) + k >= int'(PAD))
                    && (int'(32'(row_q)) + k < int'(HEIGHT + PAD));
        col_in_q[k] <= (int'(32'(col_q)) + k >= int'(PAD))
                    && (int'(32'(col_q)) + k < int'(WIDTH + PAD));
      end
    end
  end

  assign out_load = win_vld_q && (!out_vld_q || m_axis_tready);

  // Written so that a tap outside the image is a synchronous clear or set: no LUT per bit.
  for (genvar kh = 0; kh < int'(KERNEL); kh++) begin : gen_tap_row
    for (genvar kw = 0; kw < int'(KERNEL); kw++) begin : gen_tap
      logic [PIX_W-1:0] tap_q;
      always_ff @(posedge clk) begin
        if (out_load) begin
          if (row_in_q[kh] && col_in_q[kw]) tap_q <= win_q[kw][kh*PIX_W +: PIX_W];
          else tap_q <= {CHANNELS{ELEM_W'(FILL)}};
        end
      end
      assign m_axis_tdata[(kh*int'(KERNEL)+kw)*PIX_W +: PIX_W] = tap_q;
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

// nn_window - sliding KERNEL_H x KERNEL_W windows of a padded image.
// y[r][c] = x[r*STRIDE_H-PAD_TOP +: KERNEL_H][c*STRIDE_W-PAD_LEFT +: KERNEL_W], elements FILL
//           outside the image
// Stream: HEIGHT*WIDTH pixels of CHANNELS elements in, row-major; OH*OW windows out, row-major,
//         each with KERNEL_H*KERNEL_W*CHANNELS elements, order (group, kh, kw, channel of the
//         group), channel fastest. OH = (HEIGHT+PAD_TOP+PAD_BOTTOM-KERNEL_H)/STRIDE_H+1, OW
//         likewise. PIXELS of either make a beat.
// Rate:   one beat in per cycle, ROWS*COLS cycles per frame while frames follow each other: the
//         image's HEIGHT*WIDTH/PIXELS, and more where padding is so wide that windows begin, or
//         the first one ends, beyond the image's own rows or beats of a row.
//         The tail of a frame runs together with the first pixels of the next, without a
//         gap. If no other frame has begun when the tail is due, TAIL cycles drain the frame.
//         begun counts, modulo 256, the frames of which a part has entered the accelerator.
//         RAM_STYLE: where KERNEL_H-1 lines of the image are kept, 1 for LUT RAM, 2 for block RAM.
//         PROMPT == 0: a window is followed by another one after a cycle; then no path leads from
//         m_axis_tready to the pixels' side.
// Needs:  PAD_TOP < KERNEL_H, PAD_LEFT < KERNEL_W; the padded image at least as high and wide as
//         a window; WIDTH % PIXELS == 0, OW % PIXELS == 0; STRIDE_W == 1 where PIXELS > 1;
//         CHANNELS % GROUPS == 0.
`default_nettype none

module nn_window #(
  parameter int unsigned ELEM_W     = 2,
  parameter int unsigned CHANNELS   = 4,
  parameter int unsigned HEIGHT     = 8,
  parameter int unsigned WIDTH      = 8,
  parameter int unsigned KERNEL_H   = 3,
  parameter int unsigned KERNEL_W   = 3,
  parameter int unsigned STRIDE_H   = 1,
  parameter int unsigned STRIDE_W   = 1,
  parameter int unsigned PAD_TOP    = 1,
  parameter int unsigned PAD_LEFT   = 1,
  parameter int unsigned PAD_BOTTOM = 1,
  parameter int unsigned PAD_RIGHT  = 1,
  parameter int unsigned FILL       = 0,
  parameter int unsigned PIXELS     = 1,
  parameter bit          PROMPT     = 1,
  parameter int unsigned RAM_STYLE  = 1,
  parameter int unsigned GROUPS     = 1
) (
  input  wire                                                 clk,
  input  wire                                                 rst_n,
  input  wire  [7:0]                                          begun,

  input  wire  [PIXELS*CHANNELS*ELEM_W-1:0]                   s_axis_tdata,
  input  wire                                                 s_axis_tvalid,
  output logic                                                s_axis_tready,

  output logic [PIXELS*KERNEL_H*KERNEL_W*CHANNELS*ELEM_W-1:0] m_axis_tdata,
  output logic                                                m_axis_tvalid,
  input  wire                                                 m_axis_tready
);

  localparam int unsigned PIX_W  = CHANNELS * ELEM_W;
  localparam int unsigned BEAT_W = PIXELS * PIX_W;
  localparam int unsigned PART_W = PIX_W / GROUPS;
  // Windows of the padded image; one where none fits, which is refused below.
  localparam int unsigned PADDED_H = HEIGHT + PAD_TOP + PAD_BOTTOM;
  localparam int unsigned PADDED_W = WIDTH + PAD_LEFT + PAD_RIGHT;
  localparam int unsigned ROOM_H   = (PADDED_H > KERNEL_H) ? PADDED_H - KERNEL_H : 0;
  localparam int unsigned ROOM_W   = (PADDED_W > KERNEL_W) ? PADDED_W - KERNEL_W : 0;
  localparam int unsigned OH       = ROOM_H / STRIDE_H + 1;
  localparam int unsigned OW       = ROOM_W / STRIDE_W + 1;
  localparam int unsigned LAST_ROW = (OH - 1) * STRIDE_H;
  localparam int unsigned LAST_COL = (OW < PIXELS) ? 0 : (OW / PIXELS - 1) * STRIDE_W;
  // Rows below its own that a window reaches, beats at the left and right of its own.
  localparam int unsigned BELOW = (KERNEL_H > PAD_TOP) ? KERNEL_H - 1 - PAD_TOP : 0;
  localparam int unsigned AFTER = (KERNEL_W > PAD_LEFT) ? KERNEL_W - 1 - PAD_LEFT : 0;
  localparam int unsigned LEFT  = (PAD_LEFT + PIXELS - 1) / PIXELS;
  localparam int unsigned RIGHT = (AFTER + PIXELS - 1) / PIXELS;
  localparam int unsigned REACH = LEFT + 1 + RIGHT;
  // Columns of pixels that a beat of windows covers.
  localparam int unsigned SPAN  = KERNEL_W + PIXELS - 1;
  // Rows and beats of a row that are pushed: the image's, and as many more without a pixel as the
  // last windows' corners and the first window's end need. Two beats, so that a line is a memory.
  localparam int unsigned LINE     = WIDTH / PIXELS;
  localparam int unsigned COLS_MIN = (LAST_COL > 0) ? LAST_COL + 1 : 2;
  localparam int unsigned COLS     = (LINE > COLS_MIN) ? LINE : COLS_MIN;
  localparam int unsigned ENDS     = BELOW + RIGHT / COLS;
  localparam int unsigned ROWS_MIN = (LAST_ROW > ENDS) ? LAST_ROW + 1 : ENDS + 1;
  localparam int unsigned ROWS     = (HEIGHT > ROWS_MIN) ? HEIGHT : ROWS_MIN;
  localparam int unsigned BEATS    = ROWS * COLS;
  // Pushing beat n completes the windows whose top left corners are at raster position n - LAG
  // (corners counted from (-PAD_TOP, -PAD_LEFT), PIXELS of them a position).
  localparam int unsigned LAG    = BELOW * COLS + RIGHT;
  localparam int unsigned NEEDED = LAST_ROW * COLS + LAST_COL + LAG + 1;
  localparam int unsigned TAIL   = (NEEDED > BEATS) ? NEEDED - BEATS : 0;
  // Position of the windows before the first beat of a frame: raster index -LAG, modulo BEATS.
  localparam int unsigned FIRST     = (BEATS - LAG) % BEATS;
  localparam int unsigned FIRST_ROW = FIRST / COLS;
  localparam int unsigned FIRST_COL = FIRST % COLS;
  // Positions before that one and before the last windows: what is true of the next position is
  // known in a register, so that little logic stands before the enables.
  localparam int unsigned LAST     = LAST_ROW * COLS + LAST_COL;
  localparam int unsigned TO_FIRST = (FIRST + BEATS - 1) % BEATS;
  localparam int unsigned TO_LAST  = (LAST + BEATS - 1) % BEATS;

  localparam int unsigned ROW_W = (ROWS > 1) ? $clog2(ROWS) : 1;
  localparam int unsigned COL_W = $clog2(COLS);

  if (ELEM_W < 1 || CHANNELS < 1 || HEIGHT < 1 || WIDTH < 1) begin : gen_bad_size
    $error("nn_window: ELEM_W, CHANNELS, HEIGHT and WIDTH must be at least 1");
  end
  if (KERNEL_H < 1 || KERNEL_W < 1 || STRIDE_H < 1 || STRIDE_W < 1) begin : gen_bad_shape
    $error("nn_window: KERNEL_H, KERNEL_W, STRIDE_H and STRIDE_W must be at least 1");
  end
  if (PIXELS < 1 || WIDTH % PIXELS != 0 || OW % PIXELS != 0 || (PIXELS > 1 && STRIDE_W > 1)) begin
    : gen_bad_pixels
    $error("nn_window: PIXELS must divide WIDTH and the windows of a row, or be 1 with a STRIDE_W");
  end
  if (GROUPS < 1 || CHANNELS % GROUPS != 0) begin : gen_bad_groups
    $error("nn_window: GROUPS must divide CHANNELS");
  end
  if (RAM_STYLE != 1 && RAM_STYLE != 2) begin : gen_bad_style
    $error("nn_window: RAM_STYLE must be 1 or 2");
  end
  if ((FILL >> ELEM_W) != 0) begin : gen_bad_fill
    $error("nn_window: FILL must fit into ELEM_W bits");
  end
  if (PAD_TOP >= KERNEL_H || PAD_LEFT >= KERNEL_W) begin : gen_bad_pad
    $error("nn_window: PAD_TOP must be less than KERNEL_H, PAD_LEFT less than KERNEL_W");
  end
  if (PADDED_H < KERNEL_H || PADDED_W < KERNEL_W) begin : gen_bad_kernel
    $error("nn_window: the padded image must be at least KERNEL_H high and KERNEL_W wide");
  end

  // Position of the next push: its windows' corners; whether they are the last of a row, in the
  // last row, the last windows of all, those of a frame's first beat.
  logic [ROW_W-1:0] row_q;
  logic [COL_W-1:0] col_q;
  logic             col_end_q, row_end_q, last_q, first_q;
  // The corners lie in a frame that has been pushed (not in the run-up to the first one).
  logic             live_q;
  // The tail of a frame is due, and waits for the next frame; it does not wait any more.
  logic             tail_q, drain_q;
  // Frames of which a beat has come, and whether another one is on its way.
  logic [7:0]       seen_q;
  logic             more_q;

  logic win_vld_q, out_vld_q;
  logic can_push, push, dummy, accept, clear;
  logic to_first, to_last, row_hit, col_hit, row_due, col_due;
  // The next push is beyond the image and needs no pixel; the first of a frame never is.
  logic spare;

  assign can_push      = !win_vld_q || !out_vld_q || (PROMPT && m_axis_tready);
  assign s_axis_tready = can_push && !drain_q && !spare;
  assign accept        = s_axis_tvalid && s_axis_tready;
  assign dummy         = can_push && (drain_q || (tail_q && !s_axis_tvalid && !more_q));
  assign push          = accept || dummy || (can_push && spare);
  assign clear         = !rst_n || (dummy && last_q);
  assign to_first      = (32'(row_q) == TO_FIRST / COLS) && (32'(col_q) == TO_FIRST % COLS);
  assign to_last       = (32'(row_q) == TO_LAST / COLS) && (32'(col_q) == TO_LAST % COLS);
  assign row_hit       = 32'(row_q) <= LAST_ROW;
  assign col_hit       = 32'(col_q) <= LAST_COL;

  if (ROWS == HEIGHT && COLS == LINE) begin : gen_image
    assign spare = 1'b0;
  end else begin : gen_beyond
    logic [ROW_W-1:0] in_row_q;
    logic [COL_W-1:0] in_col_q;
    always_ff @(posedge clk) begin
      if (!rst_n) begin
        in_row_q <= '0;
        in_col_q <= '0;
      end else if (push && !dummy) begin
        in_col_q <= (32'(in_col_q) == COLS - 1) ? '0 : in_col_q + 1'b1;
        if (32'(in_col_q) == COLS - 1) begin
          in_row_q <= (32'(in_row_q) == ROWS - 1) ? '0 : in_row_q + 1'b1;
        end
      end
    end
    assign spare = (32'(in_row_q) >= HEIGHT) || (32'(in_col_q) >= LINE);
  end

  // The phases are right from the first wrap to position 0 on; before it no window is live.
  if (STRIDE_H == 1) begin : gen_every_row
    assign row_due = 1'b1;
  end else begin : gen_some_rows
    logic [$clog2(STRIDE_H)-1:0] row_phase_q;
    always_ff @(posedge clk) begin
      if (!rst_n) row_phase_q <= '0;
      else if (push && col_end_q) begin
        if (row_end_q) row_phase_q <= '0;
        else row_phase_q <= (32'(row_phase_q) == STRIDE_H - 1) ? '0 : row_phase_q + 1'b1;
      end
    end
    assign row_due = row_phase_q == '0;
  end
  if (STRIDE_W == 1) begin : gen_every_col
    assign col_due = 1'b1;
  end else begin : gen_some_cols
    logic [$clog2(STRIDE_W)-1:0] col_phase_q;
    always_ff @(posedge clk) begin
      if (!rst_n) col_phase_q <= '0;
      else if (push) begin
        if (col_end_q) col_phase_q <= '0;
        else col_phase_q <= (32'(col_phase_q) == STRIDE_W - 1) ? '0 : col_phase_q + 1'b1;
      end
    end
    assign col_due = col_phase_q == '0;
  end

  always_ff @(posedge clk) begin
    if (clear) begin
      row_q     <= ROW_W'(FIRST_ROW);
      col_q     <= COL_W'(FIRST_COL);
      row_end_q <= (FIRST_ROW == ROWS - 1);
      col_end_q <= (FIRST_COL == COLS - 1);
      first_q   <= 1'b1;
      last_q    <= (FIRST == LAST);
      live_q    <= (LAG == 0);
      tail_q    <= 1'b0;
      drain_q   <= 1'b0;
    end else if (push) begin
      first_q   <= to_first;
      last_q    <= to_last;
      tail_q    <= (TAIL != 0) && to_first && live_q;
      col_end_q <= 32'(col_q) == COLS - 2;
      col_q     <= col_end_q ? '0 : col_q + 1'b1;
      if (col_end_q) begin
        row_end_q <= (ROWS == 1) || (32'(row_q) == ROWS - 2);
        row_q     <= row_end_q ? '0 : row_q + 1'b1;
      end
      if (col_end_q && row_end_q) live_q <= 1'b1;
      else if (last_q) live_q <= 1'b0;
      if (dummy) drain_q <= 1'b1;
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      seen_q <= '0;
      more_q <= 1'b0;
    end else begin
      if (accept && first_q) seen_q <= seen_q + 1'b1;
      more_q <= begun != seen_q;
    end
  end

  // The newest column of the window: the beat itself under KERNEL_H-1 delay lines.
  logic [KERNEL_H*BEAT_W-1:0] column;

  if (KERNEL_H > 1) begin : gen_lines
    localparam int unsigned LINES_W = (KERNEL_H - 1) * BEAT_W;
    logic [COL_W-1:0]   slot_q, slot_d;
    logic [LINES_W-1:0] lines_rd;

    assign column = {s_axis_tdata, lines_rd};
    assign slot_d = (32'(slot_q) == COLS - 1) ? '0 : slot_q + 1'b1;

    always_ff @(posedge clk) begin
      if (!rst_n) slot_q <= '0;
      else if (push) slot_q <= slot_d;
    end

    // From block RAM the next push's slot is read with this one; after a reset it is not used.
    mem_ram #(
      .WIDTH  (LINES_W),
      .DEPTH  (COLS),
      .STYLE  (RAM_STYLE),
      .OUT_REG(RAM_STYLE == 2)
    ) u_lines (
      .clk    (clk),
      .wr_en  (push),
      .wr_addr(slot_q),
      .wr_data(column[BEAT_W +: LINES_W]),
      .rd_en  (push),
      .rd_addr((RAM_STYLE == 2) ? slot_d : slot_q),
      .rd_data(lines_rd)
    );
  end else begin : gen_no_lines
    assign column = s_axis_tdata;
  end

  // Without a stride the columns at the left are still in the windows before.
  localparam int unsigned KEPT = (STRIDE_W == 1) ? PAD_LEFT : 0;
  localparam int unsigned FROM = (STRIDE_W == 1) ? LEFT : 0;

  // The windows, beat by beat, and which of their rows and columns lie in the image.
  logic [KERNEL_H*BEAT_W-1:0] win_q [FROM:REACH-1];
  logic [KERNEL_H-1:0]        row_in_q;
  logic [SPAN-1:0]            col_in_q;
  // Their pixels as they leave.
  logic [PIX_W-1:0]           taps [KERNEL_H][SPAN];
  logic                       out_load;

  always_ff @(posedge clk) begin
    if (push) begin
      for (int b = int'(FROM); b + 1 < int'(REACH); b++) win_q[b] <= win_q[b+1];
      win_q[REACH-1] <= column;
      for (int k = 0; k < int'(KERNEL_H); k++) begin
        row_in_q[k] <= (int'(32'(row_q)) + k >= int'(PAD_TOP))
                    && (int'(32'(row_q)) + k < int'(HEIGHT + PAD_TOP));
      end
      for (int k = 0; k < int'(SPAN); k++) begin
        col_in_q[k] <= (int'(32'(col_q) * PIXELS) + k >= int'(PAD_LEFT))
                    && (int'(32'(col_q) * PIXELS) + k < int'(WIDTH + PAD_LEFT));
      end
    end
  end

  assign out_load = win_vld_q && (!out_vld_q || m_axis_tready);

  // Written so that a tap outside the image is a synchronous clear or set: no LUT per bit, and so
  // that each tap has an enable of its own: no LUT drives them all.
  for (genvar kh = 0; kh < int'(KERNEL_H); kh++) begin : gen_tap_row
    for (genvar k = 0; k < int'(SPAN); k++) begin : gen_tap
      localparam int unsigned AT = LEFT * PIXELS - PAD_LEFT + k;
      logic [PIX_W-1:0] tap_d, tap_q;
      logic             in_image;
      assign in_image = row_in_q[kh] && col_in_q[k];
      if (k < int'(KEPT)) begin : gen_kept
        assign tap_d = taps[kh][k+int'(PIXELS)];
      end else begin : gen_new
        assign tap_d = win_q[AT/PIXELS][kh*BEAT_W + AT%PIXELS*PIX_W +: PIX_W];
      end
      always_ff @(posedge clk) begin
        if (out_load && !in_image) tap_q <= {CHANNELS{ELEM_W'(FILL)}};
        else if (out_load && in_image) tap_q <= tap_d;
      end
      assign taps[kh][k] = tap_q;
      for (genvar p = 0; p < int'(PIXELS); p++) begin : gen_window
        if (k >= p && k - p < int'(KERNEL_W)) begin : gen_covered
          for (genvar g = 0; g < int'(GROUPS); g++) begin : gen_group
            localparam int unsigned ROW = (p * GROUPS + g) * KERNEL_H + kh;
            assign m_axis_tdata[(ROW*KERNEL_W+k-p)*PART_W +: PART_W]
              = taps[kh][k][g*PART_W +: PART_W];
          end
        end
      end
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      win_vld_q <= 1'b0;
      out_vld_q <= 1'b0;
    end else begin
      if (push) win_vld_q <= live_q && row_hit && col_hit && row_due && col_due;
      else if (out_load) win_vld_q <= 1'b0;
      if (out_load) out_vld_q <= 1'b1;
      else if (m_axis_tready) out_vld_q <= 1'b0;
    end
  end

  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(PIXELS * KERNEL_H * KERNEL_W * CHANNELS * ELEM_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire

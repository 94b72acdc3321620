// nn_swu - sliding window unit: the windows of a padded image, piece by piece from a buffer.
// y[r][c] = x[r-PAD +: KERNEL][c-PAD +: KERNEL], elements FILL outside the image
// Stream: HEIGHT*WIDTH pixels of CHANNELS elements in, row-major, SIMD elements a beat; a
//         window of each of them out, in BLOCKS of the channels, each REPEAT times, every time in
//         KERNEL*KERNEL*CHANNELS/(BLOCKS*SIMD) beats, order (kh, kw, channel), channel fastest.
// Rate:   one beat out per cycle, without a gap between windows, rows or frames, if pixels come
//         in time. Padding waits for nothing: that before a frame's first pixel leaves ahead of it.
// Needs:  KERNEL == 2*PAD+1, CHANNELS % (BLOCKS*SIMD) == 0.
`default_nettype none

module nn_swu #(
  parameter int unsigned ELEM_W   = 2,
  parameter int unsigned CHANNELS = 4,
  parameter int unsigned SIMD     = 2,
  parameter int unsigned HEIGHT   = 8,
  parameter int unsigned WIDTH    = 8,
  parameter int unsigned KERNEL   = 3,
  parameter int unsigned PAD      = 1,
  parameter int unsigned FILL     = 0,
  parameter int unsigned REPEAT   = 1,
  parameter int unsigned BLOCKS   = 1
) (
  input  wire                     clk,
  input  wire                     rst_n,

  input  wire  [SIMD*ELEM_W-1:0]  s_axis_tdata,
  input  wire                     s_axis_tvalid,
  output logic                    s_axis_tready,

  output logic [SIMD*ELEM_W-1:0]  m_axis_tdata,
  output logic                    m_axis_tvalid,
  input  wire                     m_axis_tready
);

  if (ELEM_W < 1 || HEIGHT < 1 || WIDTH < 1 || REPEAT < 1) begin : gen_bad_size
    $error("nn_swu: ELEM_W, HEIGHT, WIDTH and REPEAT must be at least 1");
  end
  if (SIMD < 1 || CHANNELS < 1 || CHANNELS % SIMD != 0) begin : gen_bad_simd
    $error("nn_swu: SIMD must divide CHANNELS");
  end
  if (BLOCKS < 1 || CHANNELS / SIMD % BLOCKS != 0) begin : gen_bad_blocks
    $error("nn_swu: BLOCKS must divide CHANNELS/SIMD");
  end
  if (KERNEL != 2 * PAD + 1) begin : gen_bad_kernel
    $error("nn_swu: KERNEL must be 2*PAD+1");
  end
  if ((FILL >> ELEM_W) != 0) begin : gen_bad_fill
    $error("nn_swu: FILL must fit into ELEM_W bits");
  end

  localparam int unsigned PIECES = CHANNELS / SIMD;
  localparam int unsigned LINE   = WIDTH * PIECES;
  // Of a block's pixel, and words from its first one in a window's row to its last one there.
  localparam int unsigned PART   = PIECES / BLOCKS;
  localparam int unsigned RUN    = (KERNEL - 1) * PIECES + PART;
  // Words from a window's corner to its centre: as many are before the first pixel of all.
  localparam int unsigned LEAD   = PAD * (WIDTH + 1) * PIECES;
  // A window from corner to corner, and two pixels more for the next one.
  localparam int unsigned SPAN   = 2 * LEAD + 3 * PIECES;
  localparam int unsigned LOG    = (SPAN > 32) ? $clog2(SPAN) : 5;
  localparam int unsigned DEPTH  = 1 << LOG;
  // An address tells words that have come from those that have not.
  localparam int unsigned ADDR_W = LOG + 2;

  localparam int unsigned PIECE_W  = (PART > 1) ? $clog2(PART) : 1;
  localparam int unsigned KERNEL_W = (KERNEL > 1) ? $clog2(KERNEL) : 1;
  localparam int unsigned REPEAT_W = (REPEAT > 1) ? $clog2(REPEAT) : 1;
  localparam int unsigned BLOCK_W  = (BLOCKS > 1) ? $clog2(BLOCKS) : 1;
  localparam int unsigned X_W      = $clog2(WIDTH + 2 * PAD + 1);
  localparam int unsigned Y_W      = $clog2(HEIGHT + 2 * PAD + 1);

  // ---------------------------------------------------------------- buffer of pixels
  // Where the next word goes, the corner of the window's block, the word that is due.
  logic [ADDR_W-1:0] write_q, corner_q, addr_q;
  // Words from the corner to the next one to come.
  logic [LOG:0]      level_q;
  logic              accept, step, freed_q;

  // The word that is due.
  logic [SIMD*ELEM_W-1:0] pixel;

  assign s_axis_tready = !level_q[LOG];
  assign accept        = s_axis_tvalid && s_axis_tready;

  mem_ram #(
    .WIDTH  (SIMD * ELEM_W),
    .DEPTH  (DEPTH),
    .STYLE  (1),
    .OUT_REG(0)
  ) u_pixels (
    .clk    (clk),
    .wr_en  (accept),
    .wr_addr(write_q[LOG-1:0]),
    .wr_data(s_axis_tdata),
    .rd_en  (1'b1),
    .rd_addr(addr_q[LOG-1:0]),
    .rd_data(pixel)
  );

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      write_q <= '0;
      level_q <= (LOG+1)'(LEAD);
    end else begin
      if (accept) write_q <= write_q + 1'b1;
      level_q <= level_q + (LOG+1)'(accept) - (freed_q ? (LOG+1)'(PIECES) : '0);
    end
  end

  // ---------------------------------------------------------------- walk over the windows
  logic [PIECE_W-1:0]  piece_q;
  logic [KERNEL_W-1:0] kw_q, kh_q;
  logic [REPEAT_W-1:0] repeat_q;
  logic [BLOCK_W-1:0]  block_q;
  // Corner, and where the word that is due lies, in the padded image.
  logic [X_W-1:0]      col_q, x_q;
  logic [Y_W-1:0]      row_q, y_q;
  logic                inside_x_q, inside_y_q;
  logic                piece_last_q, kw_last_q, kh_last_q, repeat_last_q, block_last_q;
  logic                col_last_q, row_last_q;
  logic                run_last, turn_last, block_last, window_last, line_last;
  logic [ADDR_W-1:0]   behind;
  logic                due, outside, free;

  // Less than none behind: it has come.
  assign behind  = addr_q - write_q;
  assign outside = !(inside_x_q && inside_y_q);
  assign due     = outside || behind[ADDR_W-1];
  assign free    = !m_axis_tvalid || m_axis_tready;
  assign step    = due && free;

  // Of a window's row, of a turn, of a block's last turn, of the window, of a row of windows.
  assign run_last    = piece_last_q && kw_last_q;
  assign turn_last   = run_last && kh_last_q;
  assign block_last  = turn_last && repeat_last_q;
  assign window_last = block_last && block_last_q;
  assign line_last   = window_last && col_last_q;

  function automatic logic in_image(input int at, input int unsigned size);
    return at >= int'(PAD) && at < int'(size + PAD);
  endfunction

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      piece_q       <= '0;
      kw_q          <= '0;
      kh_q          <= '0;
      repeat_q      <= '0;
      block_q       <= '0;
      col_q         <= '0;
      row_q         <= '0;
      x_q           <= '0;
      y_q           <= '0;
      inside_x_q    <= PAD == 0;
      inside_y_q    <= PAD == 0;
      piece_last_q  <= PART == 1;
      kw_last_q     <= KERNEL == 1;
      kh_last_q     <= KERNEL == 1;
      repeat_last_q <= REPEAT == 1;
      block_last_q  <= BLOCKS == 1;
      col_last_q    <= WIDTH == 1;
      row_last_q    <= HEIGHT == 1;
      corner_q      <= ADDR_W'(0) - ADDR_W'(LEAD);
      addr_q        <= ADDR_W'(0) - ADDR_W'(LEAD);
    end else if (step) begin
      piece_q      <= piece_last_q ? '0 : piece_q + 1'b1;
      piece_last_q <= piece_last_q ? PART == 1 : 32'(piece_q) == PART - 2;
      addr_q       <= addr_q + 1'b1;
      if (piece_last_q) begin
        kw_q       <= kw_last_q ? '0 : kw_q + 1'b1;
        kw_last_q  <= kw_last_q ? KERNEL == 1 : 32'(kw_q) == KERNEL - 2;
        x_q        <= x_q + 1'b1;
        inside_x_q <= in_image(int'(32'(x_q)) + 1, WIDTH);
        addr_q     <= addr_q + ADDR_W'(PIECES - PART + 1);
      end
      if (run_last) begin
        kh_q       <= kh_last_q ? '0 : kh_q + 1'b1;
        kh_last_q  <= kh_last_q ? KERNEL == 1 : 32'(kh_q) == KERNEL - 2;
        addr_q     <= addr_q + ADDR_W'(LINE + 1) - ADDR_W'(RUN);
        x_q        <= col_q;
        inside_x_q <= in_image(int'(32'(col_q)), WIDTH);
        y_q        <= y_q + 1'b1;
        inside_y_q <= in_image(int'(32'(y_q)) + 1, HEIGHT);
      end
      if (turn_last) begin
        repeat_q      <= repeat_last_q ? '0 : repeat_q + 1'b1;
        repeat_last_q <= repeat_last_q ? REPEAT == 1 : 32'(repeat_q) == REPEAT - 2;
        addr_q        <= corner_q;
        y_q           <= row_q;
        inside_y_q    <= in_image(int'(32'(row_q)), HEIGHT);
      end
      // After the last block comes the first one of the next pixel.
      if (block_last) begin
        block_q      <= block_last_q ? '0 : block_q + 1'b1;
        block_last_q <= block_last_q ? BLOCKS == 1 : 32'(block_q) == BLOCKS - 2;
        corner_q     <= corner_q + ADDR_W'(PART);
        addr_q       <= corner_q + ADDR_W'(PART);
      end
      if (window_last) begin
        col_q      <= col_q + 1'b1;
        col_last_q <= 32'(col_q) == WIDTH - 2;
        x_q        <= col_q + 1'b1;
        inside_x_q <= in_image(int'(32'(col_q)) + 1, WIDTH);
      end
      if (line_last) begin
        col_q      <= '0;
        col_last_q <= WIDTH == 1;
        x_q        <= '0;
        inside_x_q <= PAD == 0;
        row_q      <= row_last_q ? '0 : row_q + 1'b1;
        row_last_q <= row_last_q ? HEIGHT == 1 : 32'(row_q) == HEIGHT - 2;
        y_q        <= row_last_q ? '0 : row_q + 1'b1;
        inside_y_q <= row_last_q ? PAD == 0 : in_image(int'(32'(row_q)) + 1, HEIGHT);
      end
    end
  end

  // The pixels that a window leaves behind make room a cycle later.
  always_ff @(posedge clk) begin
    freed_q <= rst_n && step && window_last;
  end

  // Written so that a word outside the image is a synchronous clear or set: no LUT per bit. What is
  // outside is always due: the clear does not wait for `due`.
  always_ff @(posedge clk) begin
    if (free && outside) m_axis_tdata <= {SIMD{ELEM_W'(FILL)}};
    else if (step) m_axis_tdata <= pixel;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) m_axis_tvalid <= 1'b0;
    else if (step) m_axis_tvalid <= 1'b1;
    else if (m_axis_tready) m_axis_tvalid <= 1'b0;
  end

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(SIMD * ELEM_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire

// nn_tiles - which of the rectangles that tile an image the next beat is of.
// slot = column/ACROSS * PARTS + part: the rectangle in its row of rectangles, and the part of it
// Stream: none. Beats are counted by `take`: HEIGHT rows of COLS columns, PARTS beats each.
// Rate:   one beat per cycle.
//
// A rectangle is DOWN rows and ACROSS columns. Beats of a ragged rest, at the right and below, are
// not `used`; their slot is anything.
`default_nettype none

module nn_tiles #(
  parameter int unsigned HEIGHT  = 8,
  parameter int unsigned COLS    = 8,
  parameter int unsigned DOWN    = 2,
  parameter int unsigned ACROSS  = 2,
  parameter int unsigned PARTS   = 1,
  localparam int unsigned SLOTS  = COLS / ACROSS * PARTS,
  localparam int unsigned SLOT_W = (SLOTS > 1) ? $clog2(SLOTS) : 1
) (
  input  wire               clk,
  input  wire               rst_n,

  input  wire               take,

  // Of the beat: its slot, whether it is of a rectangle, and whether that begins or ends with its
  // row and its column.
  output logic [SLOT_W-1:0] slot,
  output logic              used,
  output logic              top,
  output logic              bottom,
  output logic              left,
  output logic              right
);

  if (DOWN < 1 || ACROSS < 1 || PARTS < 1) begin : gen_bad_size
    $error("nn_tiles: DOWN, ACROSS and PARTS must be at least 1");
  end
  if (HEIGHT < DOWN || COLS < ACROSS) begin : gen_bad_image
    $error("nn_tiles: HEIGHT and COLS must be at least DOWN and ACROSS");
  end

  // Rows and columns that rectangles are made of.
  localparam int unsigned USED_ROWS = HEIGHT / DOWN * DOWN;
  localparam int unsigned USED_COLS = COLS / ACROSS * ACROSS;
  localparam int unsigned ROW_W     = (HEIGHT > 1) ? $clog2(HEIGHT) : 1;
  localparam int unsigned COL_W     = (COLS > 1) ? $clog2(COLS) : 1;
  localparam int unsigned PART_W    = (PARTS > 1) ? $clog2(PARTS) : 1;
  localparam int unsigned DOWN_W    = (DOWN > 1) ? $clog2(DOWN) : 1;
  localparam int unsigned ACROSS_W  = (ACROSS > 1) ? $clog2(ACROSS) : 1;

  // Row and column in the image, and in the rectangle; the first slot of the rectangle.
  logic [ROW_W-1:0]    row_q;
  logic [COL_W-1:0]    col_q;
  logic [PART_W-1:0]   part_q;
  logic [DOWN_W-1:0]   down_q;
  logic [ACROSS_W-1:0] across_q;
  logic [SLOT_W-1:0]   slot_q;
  logic                part_ends, row_ends, image_ends;

  // Synthesis does not see by itself that a counter of one value always ends.
  assign slot   = slot_q + SLOT_W'(part_q);
  assign used   = 32'(row_q) < USED_ROWS && 32'(col_q) < USED_COLS;
  assign top    = down_q == '0;
  assign bottom = DOWN == 1 || 32'(down_q) == DOWN - 1;
  assign left   = across_q == '0;
  assign right  = ACROSS == 1 || 32'(across_q) == ACROSS - 1;

  assign part_ends  = PARTS == 1 || 32'(part_q) == PARTS - 1;
  assign row_ends   = 32'(col_q) == COLS - 1;
  assign image_ends = 32'(row_q) == HEIGHT - 1;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      row_q    <= '0;
      col_q    <= '0;
      part_q   <= '0;
      down_q   <= '0;
      across_q <= '0;
      slot_q   <= '0;
    end else if (take) begin
      part_q <= part_ends ? '0 : part_q + 1'b1;
      if (part_ends) begin
        col_q    <= row_ends ? '0 : col_q + 1'b1;
        across_q <= (row_ends || right) ? '0 : across_q + 1'b1;
        if (row_ends) slot_q <= '0;
        else if (right) slot_q <= slot_q + SLOT_W'(PARTS);
        if (row_ends) begin
          row_q  <= image_ends ? '0 : row_q + 1'b1;
          down_q <= (image_ends || bottom) ? '0 : down_q + 1'b1;
        end
      end
    end
  end

endmodule

`default_nettype wire

// nn_maxpool - maximum over KERNEL_H x KERNEL_W rectangles that do not overlap.
// y[r][c] = max(x[r*KERNEL_H +: KERNEL_H][c*KERNEL_W +: KERNEL_W]), per channel, unsigned
// Stream: HEIGHT*WIDTH pixels of CHANNELS elements in, row-major;
//         (HEIGHT/KERNEL_H)*(WIDTH/KERNEL_W) pixels out. A ragged rest at the right and below is
//         taken in and dropped. PIXELS make a beat in, PIXELS/KERNEL_W or one a beat out.
// Rate:   one beat in per cycle. Where a square is more than a beat wide, no path leads from
//         m_axis_tready to s_axis_tready.
// Needs:  1 <= KERNEL_H <= HEIGHT, 1 <= KERNEL_W <= WIDTH; PIXELS divides WIDTH and is a multiple
//         of KERNEL_W or divides it.
`default_nettype none

module nn_maxpool #(
  parameter int unsigned ELEM_W   = 2,
  parameter int unsigned CHANNELS = 4,
  parameter int unsigned HEIGHT   = 8,
  parameter int unsigned WIDTH    = 8,
  parameter int unsigned KERNEL_H = 2,
  parameter int unsigned KERNEL_W = 2,
  parameter int unsigned PIXELS   = 1,
  localparam int unsigned SQUARES = (PIXELS > KERNEL_W) ? PIXELS / KERNEL_W : 1
) (
  input  wire                                clk,
  input  wire                                rst_n,

  input  wire  [PIXELS*CHANNELS*ELEM_W-1:0]  s_axis_tdata,
  input  wire                                s_axis_tvalid,
  output logic                               s_axis_tready,

  output logic [SQUARES*CHANNELS*ELEM_W-1:0] m_axis_tdata,
  output logic                               m_axis_tvalid,
  input  wire                                m_axis_tready
);

  if (ELEM_W < 1 || CHANNELS < 1 || KERNEL_H < 1 || KERNEL_W < 1) begin : gen_bad_size
    $error("nn_maxpool: ELEM_W, CHANNELS, KERNEL_H and KERNEL_W must be at least 1");
  end
  if (HEIGHT < KERNEL_H || WIDTH < KERNEL_W) begin : gen_bad_image
    $error("nn_maxpool: HEIGHT and WIDTH must be at least KERNEL_H and KERNEL_W");
  end
  if (PIXELS < 1 || WIDTH % PIXELS != 0 || (PIXELS % KERNEL_W != 0 && KERNEL_W % PIXELS != 0))
  begin : gen_bad_pixels
    $error("nn_maxpool: PIXELS must divide WIDTH, and be a multiple of KERNEL_W or divide it");
  end

  localparam int unsigned PIX_W   = CHANNELS * ELEM_W;
  localparam int unsigned OUT_W   = SQUARES * PIX_W;
  // Pixels of a beat that are side by side in a square, and beats across a square.
  localparam int unsigned SIDE    = PIXELS / SQUARES;
  localparam int unsigned ACROSS  = KERNEL_W / SIDE;
  // Beats of a row, and those that come out of it.
  localparam int unsigned COLS    = WIDTH / PIXELS;
  localparam int unsigned SLOTS   = COLS / ACROSS;
  localparam int unsigned SLOT_W  = (SLOTS > 1) ? $clog2(SLOTS) : 1;

  function automatic logic [OUT_W-1:0] pixel_max(
    input logic [OUT_W-1:0] a, input logic [OUT_W-1:0] b
  );
    for (int i = 0; i < int'(SQUARES * CHANNELS); i++) begin
      pixel_max[i*ELEM_W +: ELEM_W] = (a[i*ELEM_W +: ELEM_W] > b[i*ELEM_W +: ELEM_W])
                                    ? a[i*ELEM_W +: ELEM_W] : b[i*ELEM_W +: ELEM_W];
    end
  endfunction

  // Stage 0, for several pixels a beat: the maximum of those beside each other.
  logic [OUT_W-1:0] beat;
  logic             beat_vld, step;

  if (SIDE > 1) begin : gen_beside
    logic [OUT_W-1:0] beside [SIDE];
    logic [OUT_W-1:0] most, beat_q;
    logic             beat_vld_q;
    for (genvar i = 0; i < int'(SIDE); i++) begin : gen_side
      for (genvar j = 0; j < int'(SQUARES); j++) begin : gen_square
        assign beside[i][j*PIX_W +: PIX_W] = s_axis_tdata[(j*int'(SIDE)+i)*PIX_W +: PIX_W];
      end
    end
    always_comb begin
      most = beside[0];
      for (int i = 1; i < int'(SIDE); i++) most = pixel_max(most, beside[i]);
    end
    always_ff @(posedge clk) begin
      if (step) beat_q <= most;
    end
    always_ff @(posedge clk) begin
      if (!rst_n) beat_vld_q <= 1'b0;
      else if (step) beat_vld_q <= s_axis_tvalid;
    end
    assign beat     = beat_q;
    assign beat_vld = beat_vld_q;
  end else begin : gen_alone
    assign beat     = s_axis_tdata;
    assign beat_vld = s_axis_tvalid;
  end

  // Stage 1: the maximum along a row of the square. Stage 2: down the rows.
  logic [SLOT_W-1:0]  slot, across_slot_q;
  logic               accept, used, top, bottom, left, right, across_ends;
  logic [OUT_W-1:0]   across_q, down, above, out_q;
  logic               across_vld_q, top_q, due_q, out_vld_q;

  // Only a whole square waits for the output. Two of them are a beat apart where a square is more
  // than a beat wide: the output is empty by then if its consumer takes it at once.
  assign step          = !due_q || !out_vld_q || (ACROSS == 1 && m_axis_tready);
  assign s_axis_tready = step;
  assign accept        = beat_vld && step;
  assign across_ends   = accept && used && right;

  nn_tiles #(
    .HEIGHT(HEIGHT),
    .COLS  (COLS),
    .DOWN  (KERNEL_H),
    .ACROSS(ACROSS),
    .PARTS (1)
  ) u_tiles (
    .clk   (clk),
    .rst_n (rst_n),
    .take  (accept),
    .slot  (slot),
    .used  (used),
    .top   (top),
    .bottom(bottom),
    .left  (left),
    .right (right)
  );

  always_ff @(posedge clk) begin
    if (accept) begin
      across_q      <= left ? beat : pixel_max(across_q, beat);
      across_slot_q <= slot;
      top_q         <= top;
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      across_vld_q <= 1'b0;
      due_q        <= 1'b0;
    end else if (step) begin
      across_vld_q <= across_ends;
      due_q        <= across_ends && bottom;
    end
  end

  if (KERNEL_H > 1 && SLOTS > 1) begin : gen_line
    mem_ram #(
      .WIDTH  (OUT_W),
      .DEPTH  (SLOTS),
      .STYLE  (1),
      .OUT_REG(0)
    ) u_line (
      .clk    (clk),
      .wr_en  (step && across_vld_q),
      .wr_addr(across_slot_q),
      .wr_data(down),
      .rd_en  (1'b1),
      .rd_addr(across_slot_q),
      .rd_data(above)
    );
  end else begin : gen_single
    logic [OUT_W-1:0] above_q;
    always_ff @(posedge clk) begin
      if (step && across_vld_q) above_q <= down;
    end
    assign above = above_q;
    logic unused;
    assign unused = &{1'b0, across_slot_q};
  end

  assign down = top_q ? across_q : pixel_max(across_q, above);

  always_ff @(posedge clk) begin
    if (step && due_q) out_q <= down;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) out_vld_q <= 1'b0;
    else if (step && due_q) out_vld_q <= 1'b1;
    else if (m_axis_tready) out_vld_q <= 1'b0;
  end

  assign m_axis_tdata  = out_q;
  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(SQUARES * CHANNELS * ELEM_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire

// nn_sumpool - sum over KERNEL_H x KERNEL_W rectangles that do not overlap.
// y[r][c] = sum(x[r*KERNEL_H +: KERNEL_H][c*KERNEL_W +: KERNEL_W]), per channel, unsigned
// Stream: HEIGHT*WIDTH pixels of CHANNELS elements in, row-major;
//         (HEIGHT/KERNEL_H)*(WIDTH/KERNEL_W) pixels out. A ragged rest at the right and below is
//         taken in and dropped. PIXELS make a beat in, PIXELS/KERNEL_W or one a beat out; or a
//         pixel is PARTS beats, in and out.
// Rate:   one beat in per cycle. Where a rectangle is more than a beat wide and a pixel is one
//         beat, no path leads from m_axis_tready to s_axis_tready.
// Needs:  1 <= KERNEL_H <= HEIGHT, 1 <= KERNEL_W <= WIDTH; PIXELS divides WIDTH and is a multiple
//         of KERNEL_W or divides it; PARTS divides CHANNELS, and is 1 where PIXELS is more;
//         OUT_W bits hold the largest sum.
`default_nettype none

module nn_sumpool #(
  parameter int unsigned ELEM_W   = 2,
  parameter int unsigned CHANNELS = 4,
  parameter int unsigned HEIGHT   = 8,
  parameter int unsigned WIDTH    = 8,
  parameter int unsigned KERNEL_H = 2,
  parameter int unsigned KERNEL_W = 2,
  parameter int unsigned PIXELS   = 1,
  parameter int unsigned PARTS    = 1,
  parameter int unsigned OUT_W    = 4,
  localparam int unsigned LANES   = CHANNELS / PARTS,
  localparam int unsigned SQUARES = (PIXELS > KERNEL_W) ? PIXELS / KERNEL_W : 1
) (
  input  wire                              clk,
  input  wire                              rst_n,

  input  wire  [PIXELS*LANES*ELEM_W-1:0]   s_axis_tdata,
  input  wire                              s_axis_tvalid,
  output logic                             s_axis_tready,

  output logic [SQUARES*LANES*OUT_W-1:0]   m_axis_tdata,
  output logic                             m_axis_tvalid,
  input  wire                              m_axis_tready
);

  if (ELEM_W < 1 || CHANNELS < 1 || KERNEL_H < 1 || KERNEL_W < 1) begin : gen_bad_size
    $error("nn_sumpool: ELEM_W, CHANNELS, KERNEL_H and KERNEL_W must be at least 1");
  end
  if (HEIGHT < KERNEL_H || WIDTH < KERNEL_W) begin : gen_bad_image
    $error("nn_sumpool: HEIGHT and WIDTH must be at least KERNEL_H and KERNEL_W");
  end
  if (PIXELS < 1 || WIDTH % PIXELS != 0 || (PIXELS % KERNEL_W != 0 && KERNEL_W % PIXELS != 0))
  begin : gen_bad_pixels
    $error("nn_sumpool: PIXELS must divide WIDTH, and be a multiple of KERNEL_W or divide it");
  end
  if (PARTS < 1 || CHANNELS % PARTS != 0 || (PARTS > 1 && PIXELS > 1)) begin : gen_bad_parts
    $error("nn_sumpool: PARTS must divide CHANNELS, and be 1 with several PIXELS");
  end

  // Pixels of a beat that are side by side in a rectangle, and their beats across a rectangle.
  localparam int unsigned SIDE    = PIXELS / SQUARES;
  localparam int unsigned ACROSS  = KERNEL_W / SIDE;
  localparam int unsigned TOTAL   = KERNEL_H * KERNEL_W;
  // Pixels or beats of a row, and those that come out of it.
  localparam int unsigned COLS    = WIDTH / PIXELS;
  localparam int unsigned SLOTS   = COLS / ACROSS;
  // Sums that are not complete: a beat of each rectangle that a row goes through.
  localparam int unsigned DEPTH   = SLOTS * PARTS;
  localparam int unsigned SLOT_W  = (DEPTH > 1) ? $clog2(DEPTH) : 1;
  localparam int unsigned ELEMS   = SQUARES * LANES;
  // Where a beat may complete its sum in the cycle after another one did.
  localparam bit          CLOSE   = (ACROSS == 1) || (PARTS > 1);

  if (OUT_W < ELEM_W || longint'(TOTAL) * ((longint'(1) << ELEM_W) - 1) >= (longint'(1) << OUT_W))
  begin : gen_bad_width
    $error("nn_sumpool: OUT_W must hold KERNEL_H*KERNEL_W times the largest element");
  end

  // Stage 0: where the beat belongs. Stage 1: the sum of its pixels that are beside each other.
  // Stage 2: added to what its rectangle has so far, out of a memory that is read and written in
  // one cycle, so that the next beat may be of the same rectangle.
  logic [SLOT_W-1:0]      slot, slot_q;
  logic                   step, accept, used, top, bottom, left, right;
  logic [ELEMS*OUT_W-1:0] beside, beside_q, so_far, sum, out_q;
  logic                   vld_q, first_q, due_q, out_vld_q;

  // Only a complete sum waits for the output.
  assign step          = !due_q || !out_vld_q || (CLOSE && m_axis_tready);
  assign s_axis_tready = step;
  assign accept        = s_axis_tvalid && step;

  nn_tiles #(
    .HEIGHT(HEIGHT),
    .COLS  (COLS),
    .DOWN  (KERNEL_H),
    .ACROSS(ACROSS),
    .PARTS (PARTS)
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

  always_comb begin
    beside = '0;
    for (int j = 0; j < int'(SQUARES); j++) begin
      for (int i = 0; i < int'(SIDE); i++) begin
        for (int c = 0; c < int'(LANES); c++) begin
          beside[(j*int'(LANES)+c)*OUT_W +: OUT_W] = beside[(j*int'(LANES)+c)*OUT_W +: OUT_W]
            + OUT_W'(s_axis_tdata[((j*int'(SIDE)+i)*int'(LANES)+c)*ELEM_W +: ELEM_W]);
        end
      end
    end
  end

  always_ff @(posedge clk) begin
    if (accept) begin
      beside_q <= beside;
      slot_q   <= slot;
      first_q  <= top && left;
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      vld_q <= 1'b0;
      due_q <= 1'b0;
    end else if (step) begin
      vld_q <= accept && used;
      due_q <= accept && used && right && bottom;
    end
  end

  if (TOTAL == SIDE) begin : gen_none
    assign so_far = '0;
    logic unused;
    assign unused = &{1'b0, slot_q, vld_q};
  end else if (DEPTH > 1) begin : gen_line
    mem_ram #(
      .WIDTH  (ELEMS * OUT_W),
      .DEPTH  (DEPTH),
      .STYLE  (1),
      .OUT_REG(0)
    ) u_line (
      .clk    (clk),
      .wr_en  (step && vld_q),
      .wr_addr(slot_q),
      .wr_data(sum),
      .rd_en  (1'b1),
      .rd_addr(slot_q),
      .rd_data(so_far)
    );
  end else begin : gen_single
    logic [ELEMS*OUT_W-1:0] so_far_q;
    always_ff @(posedge clk) begin
      if (step && vld_q) so_far_q <= sum;
    end
    assign so_far = so_far_q;
    logic unused;
    assign unused = &{1'b0, slot_q};
  end

  for (genvar i = 0; i < int'(ELEMS); i++) begin : gen_sum
    assign sum[i*OUT_W +: OUT_W] = (first_q ? '0 : so_far[i*OUT_W +: OUT_W])
                                 + beside_q[i*OUT_W +: OUT_W];
  end

  always_ff @(posedge clk) begin
    if (step && due_q) out_q <= sum;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) out_vld_q <= 1'b0;
    else if (step && due_q) out_vld_q <= 1'b1;
    else if (m_axis_tready) out_vld_q <= 1'b0;
  end

  assign m_axis_tdata  = out_q;
  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(SQUARES * LANES * OUT_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire

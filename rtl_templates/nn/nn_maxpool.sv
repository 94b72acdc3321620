// nn_maxpool - maximum over KERNEL x KERNEL squares that do not overlap.
// y[r][c] = max(x[r*KERNEL +: KERNEL][c*KERNEL +: KERNEL]), per channel, unsigned
// Stream: HEIGHT*WIDTH pixels of CHANNELS elements in, row-major;
//         (HEIGHT/KERNEL)*(WIDTH/KERNEL) pixels out. A ragged rest at the right and below is
//         taken in and dropped.
// Rate:   one pixel in per cycle.
// Needs:  1 <= KERNEL <= HEIGHT, KERNEL <= WIDTH.
`default_nettype none

module nn_maxpool #(
  parameter int unsigned ELEM_W   = 2,
  parameter int unsigned CHANNELS = 4,
  parameter int unsigned HEIGHT   = 8,
  parameter int unsigned WIDTH    = 8,
  parameter int unsigned KERNEL   = 2
) (
  input  wire                        clk,
  input  wire                        rst_n,

  input  wire  [CHANNELS*ELEM_W-1:0] s_axis_tdata,
  input  wire                        s_axis_tvalid,
  output logic                       s_axis_tready,

  output logic [CHANNELS*ELEM_W-1:0] m_axis_tdata,
  output logic                       m_axis_tvalid,
  input  wire                        m_axis_tready
);

  if (ELEM_W < 1 || CHANNELS < 1 || KERNEL < 1) begin : gen_bad_size
    $error("nn_maxpool: ELEM_W, CHANNELS and KERNEL must be at least 1");
  end
  if (HEIGHT < KERNEL || WIDTH < KERNEL) begin : gen_bad_image
    $error("nn_maxpool: HEIGHT and WIDTH must be at least KERNEL");
  end

  localparam int unsigned PIX_W   = CHANNELS * ELEM_W;
  localparam int unsigned OH      = HEIGHT / KERNEL;
  localparam int unsigned OW      = WIDTH / KERNEL;
  localparam int unsigned ROW_W   = (HEIGHT > 1) ? $clog2(HEIGHT) : 1;
  localparam int unsigned COL_W   = (WIDTH > 1) ? $clog2(WIDTH) : 1;
  localparam int unsigned PHASE_W = (KERNEL > 1) ? $clog2(KERNEL) : 1;
  localparam int unsigned SLOT_W  = (OW > 1) ? $clog2(OW) : 1;

  function automatic logic [PIX_W-1:0] pixel_max(
    input logic [PIX_W-1:0] a, input logic [PIX_W-1:0] b
  );
    for (int i = 0; i < int'(CHANNELS); i++) begin
      pixel_max[i*ELEM_W +: ELEM_W] = (a[i*ELEM_W +: ELEM_W] > b[i*ELEM_W +: ELEM_W])
                                    ? a[i*ELEM_W +: ELEM_W] : b[i*ELEM_W +: ELEM_W];
    end
  endfunction

  // Stage 1: the maximum along a row of the square. Stage 2: down the rows.
  logic [ROW_W-1:0]   row_q;
  logic [COL_W-1:0]   col_q;
  logic [PHASE_W-1:0] row_phase_q, col_phase_q;
  logic [SLOT_W-1:0]  slot_q;

  logic [PIX_W-1:0]   across_q, down, above;
  logic               across_vld_q, top_q, bottom_q;
  logic [SLOT_W-1:0]  across_slot_q;
  logic [PIX_W-1:0]   out_q;
  logic               out_vld_q;
  logic               step, accept, row_used, col_used;

  assign step          = !out_vld_q || m_axis_tready;
  assign s_axis_tready = step;
  assign accept        = s_axis_tvalid && step;
  assign row_used      = 32'(row_q) < OH * KERNEL;
  assign col_used      = 32'(col_q) < OW * KERNEL;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      row_q       <= '0;
      col_q       <= '0;
      row_phase_q <= '0;
      col_phase_q <= '0;
      slot_q      <= '0;
    end else if (accept) begin
      if (32'(col_q) != WIDTH - 1) begin
        col_q <= col_q + 1'b1;
        if (32'(col_phase_q) != KERNEL - 1) begin
          col_phase_q <= col_phase_q + 1'b1;
        end else begin
          col_phase_q <= '0;
          slot_q      <= slot_q + 1'b1;
        end
      end else begin
        col_q       <= '0;
        col_phase_q <= '0;
        slot_q      <= '0;
        row_q       <= (32'(row_q) == HEIGHT - 1) ? '0 : row_q + 1'b1;
        if (32'(row_q) == HEIGHT - 1 || 32'(row_phase_q) == KERNEL - 1) row_phase_q <= '0;
        else row_phase_q <= row_phase_q + 1'b1;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (accept) begin
      across_q      <= (col_phase_q == '0) ? s_axis_tdata : pixel_max(across_q, s_axis_tdata);
      across_slot_q <= slot_q;
      top_q         <= row_phase_q == '0;
      bottom_q      <= 32'(row_phase_q) == KERNEL - 1;
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) across_vld_q <= 1'b0;
    else if (step) begin
      across_vld_q <= accept && row_used && col_used && (32'(col_phase_q) == KERNEL - 1);
    end
  end

  if (KERNEL > 1 && OW > 1) begin : gen_line
    (* ram_style = "distributed" *) logic [PIX_W-1:0] line [OW];
    always_ff @(posedge clk) begin
      if (step && across_vld_q) line[across_slot_q] <= down;
    end
    assign above = line[across_slot_q];
  end else begin : gen_single
    logic [PIX_W-1:0] above_q;
    always_ff @(posedge clk) begin
      if (step && across_vld_q) above_q <= down;
    end
    assign above = above_q;
    logic unused;
    assign unused = &{1'b0, across_slot_q};
  end

  assign down = top_q ? across_q : pixel_max(across_q, above);

  always_ff @(posedge clk) begin
    if (step) out_q <= down;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) out_vld_q <= 1'b0;
    else if (step) out_vld_q <= across_vld_q && bottom_q;
  end

  assign m_axis_tdata  = out_q;
  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  hold_rule : assert property (@(posedge clk) disable iff (!rst_n)
    m_axis_tvalid && !m_axis_tready |=> m_axis_tvalid && $stable(m_axis_tdata));
`endif

endmodule

`default_nettype wire

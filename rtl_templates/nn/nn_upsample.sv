// nn_upsample - nearest upsampling: every pixel UP_W times in a row, and every row UP_H times.
// y[r][c] = x[r / UP_H][c / UP_W]
// Stream: rows of WIDTH pixels, one pixel of CHANNELS elements per beat, in and out.
// Rate:   one beat out per cycle; latency one cycle. A pixel is taken with the first beat that it
//         gives; nothing is taken while a row is repeated.
// Needs:  1 <= UP_W, 1 <= UP_H.
`default_nettype none

module nn_upsample #(
  parameter int unsigned ELEM_W   = 2,
  parameter int unsigned CHANNELS = 4,
  parameter int unsigned WIDTH    = 4,
  parameter int unsigned UP_H     = 2,
  parameter int unsigned UP_W     = 2
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

  if (ELEM_W < 1 || CHANNELS < 1 || WIDTH < 1) begin : gen_bad_size
    $error("nn_upsample: ELEM_W, CHANNELS and WIDTH must be at least 1");
  end
  if (UP_H < 1 || UP_W < 1) begin : gen_bad_up
    $error("nn_upsample: UP_H and UP_W must be at least 1");
  end

  localparam int unsigned PIXEL_W = CHANNELS * ELEM_W;
  localparam int unsigned COL_W   = (WIDTH > 1) ? $clog2(WIDTH) : 1;
  localparam int unsigned DOWN_W  = (UP_H > 1) ? $clog2(UP_H) : 1;
  localparam int unsigned PHASE_W = (UP_W > 1) ? $clog2(UP_W) : 1;

  // The beat that is to come: its pixel's column, and which repetition it is of row and pixel.
  logic [COL_W-1:0]   col_q;
  logic [DOWN_W-1:0]  down_q;
  logic [PHASE_W-1:0] phase_q;

  logic               step, fresh, first, move, accept, pixel_ends, row_ends;
  logic [PIXEL_W-1:0] again, out_q;
  logic               out_vld_q;

  assign step          = !out_vld_q || m_axis_tready;
  assign fresh         = down_q == '0;
  assign first         = phase_q == '0;
  assign s_axis_tready = step && fresh && first;
  assign accept        = s_axis_tvalid && s_axis_tready;
  assign move          = step && (!(fresh && first) || s_axis_tvalid);
  assign pixel_ends    = 32'(phase_q) == UP_W - 1;
  assign row_ends      = 32'(col_q) == WIDTH - 1;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      col_q   <= '0;
      down_q  <= '0;
      phase_q <= '0;
    end else if (move) begin
      phase_q <= pixel_ends ? '0 : phase_q + 1'b1;
      if (pixel_ends) begin
        col_q <= row_ends ? '0 : col_q + 1'b1;
        if (row_ends) down_q <= (32'(down_q) == UP_H - 1) ? '0 : down_q + 1'b1;
      end
    end
  end

  // The row that is repeated.
  if (UP_H == 1) begin : gen_none
    assign again = s_axis_tdata;
    logic unused;
    assign unused = &{1'b0, accept};
  end else if (WIDTH == 1) begin : gen_single
    assign again = out_q;
    logic unused;
    assign unused = &{1'b0, accept};
  end else begin : gen_line
    mem_ram #(
      .WIDTH  (PIXEL_W),
      .DEPTH  (WIDTH),
      .STYLE  (1),
      .OUT_REG(0)
    ) u_line (
      .clk    (clk),
      .wr_en  (accept),
      .wr_addr(col_q),
      .wr_data(s_axis_tdata),
      .rd_en  (1'b1),
      .rd_addr(col_q),
      .rd_data(again)
    );
  end

  always_ff @(posedge clk) begin
    if (move && first) out_q <= fresh ? s_axis_tdata : again;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) out_vld_q <= 1'b0;
    else if (step) out_vld_q <= move;
  end

  assign m_axis_tdata  = out_q;
  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(PIXEL_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire

// axi_unpack - frames of 64-bit words to beats of another width.
// Stream: a frame is FRAME_BYTES bytes, in memory rounded up to whole words; beats of WIDTH bits
//         out, without the bytes in between.
// Rate:   one beat per cycle on the narrower side; equal widths pass through as wires.
// Needs:  WIDTH 8, 16, 32 or a multiple of 64 that divides FRAME_BYTES.
`default_nettype none

module axi_unpack #(
  parameter int unsigned WIDTH       = 64,
  parameter int unsigned FRAME_BYTES = 3072
) (
  input  wire              clk,
  input  wire              rst_n,

  input  wire  [63:0]      s_axis_tdata,
  input  wire              s_axis_tvalid,
  output logic             s_axis_tready,

  output logic [WIDTH-1:0] m_axis_tdata,
  output logic             m_axis_tvalid,
  input  wire              m_axis_tready
);

  if (WIDTH != 8 && WIDTH != 16 && WIDTH != 32 && (WIDTH < 64 || WIDTH % 64 != 0)) begin
    : gen_bad_width
    $error("axi_unpack: WIDTH must be 8, 16, 32 or a multiple of 64");
  end
  if (FRAME_BYTES < 1 || FRAME_BYTES * 8 % WIDTH != 0) begin : gen_bad_frame
    $error("axi_unpack: WIDTH must divide a frame of FRAME_BYTES");
  end

  localparam int unsigned ELEM_W = (WIDTH < 64) ? WIDTH : 64;
  localparam int unsigned BEATS  = FRAME_BYTES * 8 / WIDTH;
  localparam int unsigned PADDED = (FRAME_BYTES + 7) / 8 * 64 / ELEM_W;

  logic tvalid, tready;

  axis_width #(
    .ELEM_W   (ELEM_W),
    .IN_ELEMS (64 / ELEM_W),
    .OUT_ELEMS(WIDTH / ELEM_W)
  ) u_width (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (s_axis_tdata),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(tvalid),
    .m_axis_tready(tready)
  );

  if (FRAME_BYTES % 8 != 0) begin : gen_padded
    localparam int unsigned COUNT_W = $clog2(PADDED);
    logic [COUNT_W-1:0] count_q;
    logic               padding;
    assign padding       = 32'(count_q) >= BEATS;
    assign m_axis_tvalid = tvalid && !padding;
    assign tready        = m_axis_tready || padding;
    always_ff @(posedge clk) begin
      if (!rst_n) count_q <= '0;
      else if (tvalid && tready) count_q <= (32'(count_q) == PADDED - 1) ? '0 : count_q + 1'b1;
    end
  end else begin : gen_whole
    assign m_axis_tvalid = tvalid;
    assign tready        = m_axis_tready;
  end

endmodule

`default_nettype wire

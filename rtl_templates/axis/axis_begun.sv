// axis_begun - counts the frames that have begun in a passing stream.
// y = x; begun = number of frames of which a beat has been taken, modulo 256
// Stream: one beat out per beat in, in the same cycle; FRAME beats make a frame.
// Rate:   one beat per cycle.
// Needs:  FRAME >= 1.
`default_nettype none

module axis_begun #(
  parameter int unsigned DATA_W = 8,
  parameter int unsigned FRAME  = 16
) (
  input  wire               clk,
  input  wire               rst_n,
  output logic [7:0]        begun,

  input  wire  [DATA_W-1:0] s_axis_tdata,
  input  wire               s_axis_tvalid,
  output logic              s_axis_tready,

  output logic [DATA_W-1:0] m_axis_tdata,
  output logic              m_axis_tvalid,
  input  wire               m_axis_tready
);

  if (DATA_W < 1) begin : gen_bad_data_w
    $error("axis_begun: DATA_W must be at least 1");
  end
  if (FRAME < 1) begin : gen_bad_frame
    $error("axis_begun: FRAME must be at least 1");
  end

  localparam int unsigned CNT_W = (FRAME > 1) ? $clog2(FRAME) : 1;

  logic [CNT_W-1:0] beat_q;
  logic [7:0]       begun_q;

  assign m_axis_tdata  = s_axis_tdata;
  assign m_axis_tvalid = s_axis_tvalid;
  assign s_axis_tready = m_axis_tready;
  assign begun         = begun_q;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      beat_q  <= '0;
      begun_q <= '0;
    end else if (s_axis_tvalid && m_axis_tready) begin
      beat_q <= (32'(beat_q) == FRAME - 1) ? '0 : beat_q + 1'b1;
      if (beat_q == '0) begun_q <= begun_q + 1'b1;
    end
  end

endmodule

`default_nettype wire

// axis_fork - sends every beat to OUTPUTS consumers, each of which takes it in its own time.
// y[i] = x
// Stream: one beat out of each output per beat in, in order; output 0 is the least significant.
// Rate:   one beat per cycle while all consumers take one; latency one cycle. An output is a beat
//         ahead of the others at most: what runs further ahead needs a FIFO behind the others.
// Needs:  OUTPUTS >= 2.
`default_nettype none

module axis_fork #(
  parameter int unsigned DATA_W  = 8,
  parameter int unsigned OUTPUTS = 2
) (
  input  wire                       clk,
  input  wire                       rst_n,

  input  wire  [DATA_W-1:0]         s_axis_tdata,
  input  wire                       s_axis_tvalid,
  output logic                      s_axis_tready,

  output logic [OUTPUTS*DATA_W-1:0] m_axis_tdata,
  output logic [OUTPUTS-1:0]        m_axis_tvalid,
  input  wire  [OUTPUTS-1:0]        m_axis_tready
);

  if (DATA_W < 1) begin : gen_bad_data_w
    $error("axis_fork: DATA_W must be at least 1");
  end
  if (OUTPUTS < 2) begin : gen_bad_outputs
    $error("axis_fork: OUTPUTS must be at least 2");
  end

  // The beat that is on offer, and which outputs have taken it already.
  logic [DATA_W-1:0]  beat;
  logic               beat_vld, all_taken;
  logic [OUTPUTS-1:0] taken_q, taken_d;

  // This buffer's registers end the paths from the consumers' ready, before the producer.
  axis_skid #(
    .DATA_W(DATA_W)
  ) u_skid (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (s_axis_tdata),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready),
    .m_axis_tdata (beat),
    .m_axis_tvalid(beat_vld),
    .m_axis_tready(all_taken)
  );

  assign m_axis_tdata  = {OUTPUTS{beat}};
  assign m_axis_tvalid = {OUTPUTS{beat_vld}} & ~taken_q;
  assign taken_d       = taken_q | m_axis_tready;
  assign all_taken     = &taken_d;

  always_ff @(posedge clk) begin
    if (!rst_n) taken_q <= '0;
    else if (beat_vld) taken_q <= all_taken ? '0 : taken_d;
  end

`ifndef SYNTHESIS
  for (genvar i = 0; i < int'(OUTPUTS); i++) begin : gen_checker
    axis_checker #(.DATA_W(DATA_W)) u_checker (
      .clk          (clk),
      .rst_n        (rst_n),
      .m_axis_tdata (m_axis_tdata[i*DATA_W +: DATA_W]),
      .m_axis_tvalid(m_axis_tvalid[i]),
      .m_axis_tready(m_axis_tready[i])
    );
  end
`endif

endmodule

`default_nettype wire

// axi_dma - jobs: frames from memory to a stream, and the words that come back to memory.
// Job:    addresses of 64-bit words and number of frames; start queues it while room is high.
// Stream: FRAME_BEATS beats of 64 bits per frame out; 32-bit words in, tlast on a frame's last.
// The next job's frames follow without a gap. stop begins no more bursts; idle: none is under way.
// done: a job ended, with its errors {write decode, write slave, read decode, read slave}; an error
// ends a job with the frame that is then being asked for.
// framed: a frame's last word was taken. busy: a job runs or waits. reading: one is being read.
// Rate:   one beat and one word per cycle.
// Needs:  QUEUE >= 2; the needs of axi_read and axi_write.
`default_nettype none

module axi_dma #(
  parameter int unsigned FRAME_BEATS = 384,
  parameter int unsigned QUEUE       = 4,
  parameter int unsigned OUTSTANDING = 8,
  parameter int unsigned FIFO_BEATS  = 512,
  parameter int unsigned MARKS       = 32,
  parameter int unsigned RAM_STYLE   = 2
) (
  input  wire         clk,
  input  wire         rst_n,

  input  wire         stop,
  output logic        idle,

  input  wire  [28:0] source,
  input  wire  [28:0] target,
  input  wire  [20:0] frames,
  input  wire         start,
  output logic        room,
  output logic        busy,
  output logic        reading,
  output logic        framed,
  output logic        done,
  output logic [3:0]  done_errors,

  output logic [31:0] m_axi_araddr,
  output logic [3:0]  m_axi_arlen,
  output logic        m_axi_arvalid,
  input  wire         m_axi_arready,
  input  wire  [63:0] m_axi_rdata,
  input  wire  [1:0]  m_axi_rresp,
  input  wire         m_axi_rlast,
  input  wire         m_axi_rvalid,
  output logic        m_axi_rready,
  output logic [31:0] m_axi_awaddr,
  output logic [3:0]  m_axi_awlen,
  output logic        m_axi_awvalid,
  input  wire         m_axi_awready,
  output logic [63:0] m_axi_wdata,
  output logic [7:0]  m_axi_wstrb,
  output logic        m_axi_wlast,
  output logic        m_axi_wvalid,
  input  wire         m_axi_wready,
  input  wire  [1:0]  m_axi_bresp,
  input  wire         m_axi_bvalid,
  output logic        m_axi_bready,

  output logic [63:0] m_axis_tdata,
  output logic        m_axis_tvalid,
  input  wire         m_axis_tready,

  input  wire  [31:0] s_axis_tdata,
  input  wire         s_axis_tvalid,
  input  wire         s_axis_tlast,
  output logic        s_axis_tready
);

  if (QUEUE < 2) begin : gen_bad_queue
    $error("axi_dma: QUEUE must be at least 2");
  end

  // Jobs that were queued and are not done, and those of them whose last frame was asked for.
  logic jobs_full, ahead_some, ahead_full;
  logic queue, ended, failed, read_idle, write_idle;

  assign room  = !jobs_full;
  assign queue = start && room;
  assign idle  = read_idle && write_idle;

  axi_tally #(
    .MOST(QUEUE)
  ) u_jobs (
    .clk  (clk),
    .rst_n(rst_n),
    .up   (queue),
    .down (done),
    .some (busy),
    .full (jobs_full)
  );

  axi_tally #(
    .MOST(QUEUE)
  ) u_ahead (
    .clk  (clk),
    .rst_n(rst_n),
    .up   (ended),
    .down (done),
    .some (ahead_some),
    .full (ahead_full)
  );

  logic [28:0] read_address, write_address;
  logic [20:0] read_frames;
  logic        read_vld, read_rdy, write_vld, write_rdy;
  logic        read_fits, write_fits;

  axis_fifo #(
    .DATA_W   (50),
    .DEPTH    (QUEUE),
    .RAM_STYLE(1)
  ) u_sources (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata ({frames, source}),
    .s_axis_tvalid(queue),
    .s_axis_tready(read_fits),
    .m_axis_tdata ({read_frames, read_address}),
    .m_axis_tvalid(read_vld),
    .m_axis_tready(read_rdy)
  );

  axis_fifo #(
    .DATA_W   (29),
    .DEPTH    (QUEUE),
    .RAM_STYLE(1)
  ) u_targets (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (target),
    .s_axis_tvalid(queue),
    .s_axis_tready(write_fits),
    .m_axis_tdata (write_address),
    .m_axis_tvalid(write_vld),
    .m_axis_tready(write_rdy)
  );

  logic [2:0] mark;
  logic       mark_vld, mark_rdy;

  axi_read #(
    .FRAME_BEATS(FRAME_BEATS),
    .OUTSTANDING(OUTSTANDING),
    .FIFO_BEATS (FIFO_BEATS),
    .MARKS      (MARKS),
    .RAM_STYLE  (RAM_STYLE)
  ) u_read (
    .clk          (clk),
    .rst_n        (rst_n),
    .cut          (failed && !ahead_some),
    .stop         (stop),
    .idle         (read_idle),
    .busy         (reading),
    .ended        (ended),
    .job_address  (read_address),
    .job_frames   (read_frames),
    .job_valid    (read_vld),
    .job_ready    (read_rdy),
    .mark_data    (mark),
    .mark_valid   (mark_vld),
    .mark_ready   (mark_rdy),
    .m_axi_araddr (m_axi_araddr),
    .m_axi_arlen  (m_axi_arlen),
    .m_axi_arvalid(m_axi_arvalid),
    .m_axi_arready(m_axi_arready),
    .m_axi_rdata  (m_axi_rdata),
    .m_axi_rresp  (m_axi_rresp),
    .m_axi_rlast  (m_axi_rlast),
    .m_axi_rvalid (m_axi_rvalid),
    .m_axi_rready (m_axi_rready),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

  axi_write #(
    .OUTSTANDING(OUTSTANDING),
    .RAM_STYLE  (RAM_STYLE)
  ) u_write (
    .clk          (clk),
    .rst_n        (rst_n),
    .stop         (stop),
    .idle         (write_idle),
    .failed       (failed),
    .framed       (framed),
    .done         (done),
    .done_errors  (done_errors),
    .job_address  (write_address),
    .job_valid    (write_vld),
    .job_ready    (write_rdy),
    .mark_data    (mark),
    .mark_valid   (mark_vld),
    .mark_ready   (mark_rdy),
    .s_axis_tdata (s_axis_tdata),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tlast (s_axis_tlast),
    .s_axis_tready(s_axis_tready),
    .m_axi_awaddr (m_axi_awaddr),
    .m_axi_awlen  (m_axi_awlen),
    .m_axi_awvalid(m_axi_awvalid),
    .m_axi_awready(m_axi_awready),
    .m_axi_wdata  (m_axi_wdata),
    .m_axi_wstrb  (m_axi_wstrb),
    .m_axi_wlast  (m_axi_wlast),
    .m_axi_wvalid (m_axi_wvalid),
    .m_axi_wready (m_axi_wready),
    .m_axi_bresp  (m_axi_bresp),
    .m_axi_bvalid (m_axi_bvalid),
    .m_axi_bready (m_axi_bready)
  );

  logic unused;
  assign unused = &{1'b0, ahead_full};

`ifndef SYNTHESIS
  queue_fits : assert property (@(posedge clk) disable iff (!rst_n)
    queue |-> read_fits && write_fits);
`endif

endmodule

`default_nettype wire

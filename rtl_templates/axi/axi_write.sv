// axi_write - writes the words of jobs to memory, packed back to back.
// Job:    address of 64-bit words. Bursts of up to 16 beats that end on 128-byte boundaries; one
//         is asked for when all of its data is here. At most OUTSTANDING wait for their response.
// Stream: 32-bit words, tlast on the last of a frame; two make a beat, and an odd one at the end of
//         a job has its upper strobes low.
// Mark:   of each frame, {last of its job, read's errors}; taken with the frame's last word.
// A job is done when all of its writes were answered; done_errors: {write decode, write slave, read
// decode, read slave}. failed: a write of the running job failed. stop begins no more bursts; idle:
// no burst is under way. framed: a frame's last word was taken.
// Rate:   one word per cycle, less the wait for the responses at a job's end.
// Needs:  OUTSTANDING >= 2.
`default_nettype none

module axi_write #(
  parameter int unsigned OUTSTANDING = 8,
  parameter int unsigned RAM_STYLE   = 2
) (
  input  wire         clk,
  input  wire         rst_n,

  input  wire         stop,
  output logic        idle,
  output logic        failed,
  output logic        framed,
  output logic        done,
  output logic [3:0]  done_errors,

  input  wire  [28:0] job_address,
  input  wire         job_valid,
  output logic        job_ready,

  input  wire  [2:0]  mark_data,
  input  wire         mark_valid,
  output logic        mark_ready,

  input  wire  [31:0] s_axis_tdata,
  input  wire         s_axis_tvalid,
  input  wire         s_axis_tlast,
  output logic        s_axis_tready,

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
  output logic        m_axi_bready
);

  if (OUTSTANDING < 2) begin : gen_bad_outstanding
    $error("axi_write: OUTSTANDING must be at least 2");
  end

  // A burst that leaves and one that gathers, and some for the FIFO's latency.
  localparam int unsigned FIFO_BEATS = (RAM_STYLE == 2) ? 512 : 40;

  logic [31:0] word;
  logic        word_vld, word_rdy, word_last;

  axis_skid #(
    .DATA_W(33)
  ) u_words (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata ({s_axis_tlast, s_axis_tdata}),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready),
    .m_axis_tdata ({word_last, word}),
    .m_axis_tvalid(word_vld),
    .m_axis_tready(word_rdy)
  );

  // Words to beats, beats to bursts. The end of a burst waits until the burst before has left; so
  // does the end of each frame, at which a burst may end.
  localparam int unsigned JOB = 0, WORDS = 1, FLUSH = 2, ANSWERS = 3;  // one bit each
  logic [3:0]  state_q;
  logic [28:0] address_q;
  logic [3:0]  index_q;
  logic [31:0] low_q;
  logic [1:0]  read_error_q, error_q;
  logic        upper_q, final_q, sending_q, answer_q, free_q;
  logic        bursts_some, bursts_full;
  logic        job_end, flush, beat, burst_end;

  // final_q: the beat that gathers is the last before a boundary. free_q: a burst may begin; it
  // falls with every beginning, and rises late rather than early.
  assign word_rdy   = state_q[WORDS]
    && (free_q || !(final_q || word_last)) && (mark_valid || !word_last);
  assign framed     = word_vld && word_rdy && word_last;
  assign mark_ready = framed;
  assign job_end    = framed && mark_data[2];
  assign flush      = state_q[FLUSH];
  assign beat       = (word_vld && word_rdy && upper_q) || flush;
  assign burst_end  = beat && (final_q || job_end || flush);
  assign job_ready  = state_q[JOB];
  assign done       = state_q[ANSWERS] && !bursts_some;

  assign done_errors = {error_q, read_error_q};
  assign failed      = error_q != '0;

  always_ff @(posedge clk) begin
    if (job_ready) address_q <= job_address;
    else if (burst_end) address_q <= {address_q[28:4] + 1'b1, 4'd0};
    if (job_ready) index_q <= job_address[3:0];
    else if (beat) index_q <= index_q + 1'b1;
    if (job_ready) final_q <= job_address[3:0] == 4'd15;
    else if (beat) final_q <= index_q == 4'd14;
    if (word_rdy && !upper_q) low_q <= word;
    if (framed) read_error_q <= mark_data[1:0];
    if (burst_end) begin
      m_axi_awaddr <= {address_q, 3'b000};
      m_axi_awlen  <= index_q - address_q[3:0];
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q       <= 4'b1 << JOB;
      upper_q       <= 1'b0;
      m_axi_awvalid <= 1'b0;
    end else begin
      state_q[JOB]     <= (state_q[JOB] && !job_valid) || done;
      state_q[WORDS]   <= (state_q[JOB] && job_valid) || (state_q[WORDS] && !job_end);
      state_q[FLUSH]   <= job_end && !upper_q;
      state_q[ANSWERS] <= (job_end && upper_q) || state_q[FLUSH] || (state_q[ANSWERS] && !done);
      if (flush) upper_q <= 1'b0;
      else if (word_vld && word_rdy) upper_q <= !upper_q;
      if (burst_end) m_axi_awvalid <= 1'b1;
      else if (m_axi_awready) m_axi_awvalid <= 1'b0;
    end
  end

  // Data of one whole burst at a time, from registers, every other cycle.
  logic [63:0] beat_data;
  logic        beat_last, beat_upper, beat_vld, fifo_rdy, load;

  axis_fifo #(
    .DATA_W   (66),
    .DEPTH    (FIFO_BEATS),
    .RAM_STYLE(RAM_STYLE)
  ) u_beats (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata ({burst_end, !flush, word, low_q}),
    .s_axis_tvalid(beat),
    .s_axis_tready(fifo_rdy),
    .m_axis_tdata ({beat_last, beat_upper, beat_data}),
    .m_axis_tvalid(beat_vld),
    .m_axis_tready(load)
  );

  assign load = sending_q && !m_axi_wvalid;

  always_ff @(posedge clk) begin
    if (load) begin
      m_axi_wdata <= beat_data;
      m_axi_wstrb <= {{4{beat_upper}}, 4'hf};
      m_axi_wlast <= beat_last;
    end
  end

  logic [1:0] resp_q;
  assign m_axi_bready = 1'b1;
  assign idle = !m_axi_awvalid && !m_axi_wvalid && !sending_q && !bursts_some;

  axi_tally #(
    .MOST(OUTSTANDING)
  ) u_bursts (
    .clk  (clk),
    .rst_n(rst_n),
    .up   (burst_end),
    .down (answer_q),
    .some (bursts_some),
    .full (bursts_full)
  );

  always_ff @(posedge clk) resp_q <= m_axi_bresp;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      m_axi_wvalid <= 1'b0;
      sending_q    <= 1'b0;
      answer_q     <= 1'b0;
      free_q       <= 1'b0;
      error_q      <= '0;
    end else begin
      if (load && beat_vld) m_axi_wvalid <= 1'b1;
      else if (m_axi_wready) m_axi_wvalid <= 1'b0;
      if (burst_end) sending_q <= 1'b1;
      else if (load && beat_vld && beat_last) sending_q <= 1'b0;
      answer_q <= m_axi_bvalid;
      free_q   <= !burst_end && !m_axi_awvalid && !sending_q && !bursts_full && !stop;
      if (done) error_q <= '0;
      else if (answer_q) error_q <= error_q | {resp_q == 2'd3, resp_q == 2'd2};
    end
  end

`ifndef SYNTHESIS
  one_at_a_time : assert property (@(posedge clk) disable iff (!rst_n)
    burst_end |-> !m_axi_awvalid && !sending_q && !bursts_full);
  beat_fits : assert property (@(posedge clk) disable iff (!rst_n) beat |-> fifo_rdy);
  asked_for : assert property (@(posedge clk) disable iff (!rst_n) answer_q |-> bursts_some);
  axis_checker #(.DATA_W(36)) u_address_checker (
    .clk          (clk),
    .rst_n        (rst_n),
    .m_axis_tdata ({m_axi_awaddr, m_axi_awlen}),
    .m_axis_tvalid(m_axi_awvalid),
    .m_axis_tready(m_axi_awready)
  );
  axis_checker #(.DATA_W(73)) u_data_checker (
    .clk          (clk),
    .rst_n        (rst_n),
    .m_axis_tdata ({m_axi_wdata, m_axi_wstrb, m_axi_wlast}),
    .m_axis_tvalid(m_axi_wvalid),
    .m_axis_tready(m_axi_wready)
  );
  page_kept : assert property (@(posedge clk) disable iff (!rst_n)
    m_axi_awvalid |-> 32'(m_axi_awaddr[11:3]) + 32'(m_axi_awlen) < 512);
`endif

endmodule

`default_nettype wire

// axi_read - reads the frames of jobs from memory, as one stream without gaps.
// Job:    address of 64-bit words and number of frames; bursts of up to 16 beats that end on
//         128-byte boundaries, at most OUTSTANDING of them under way.
// Mark:   one for each frame whose last beat was read: {last of its job, decode error, slave
//         error}, the errors since the job's first beat.
// Stream: FRAME_BEATS beats of 64 bits per frame. The FIFO has room for every beat that was asked
//         for, so that data is never kept waiting.
// cut ends the job that is being asked for with its frame, as an error in it does; stop begins no
// more bursts; idle: none is under way; busy: a job is being read; ended: its last burst was asked
// for.
// Rate:   one beat per cycle; a burst takes at least three.
// Needs:  FIFO_BEATS at least 16*OUTSTANDING, MARKS at least OUTSTANDING.
`default_nettype none

module axi_read #(
  parameter int unsigned FRAME_BEATS = 384,
  parameter int unsigned OUTSTANDING = 8,
  parameter int unsigned FIFO_BEATS  = 512,
  parameter int unsigned MARKS       = 32,
  parameter int unsigned RAM_STYLE   = 2
) (
  input  wire         clk,
  input  wire         rst_n,

  input  wire         cut,
  input  wire         stop,
  output logic        idle,
  output logic        busy,
  output logic        ended,

  input  wire  [28:0] job_address,
  input  wire  [20:0] job_frames,
  input  wire         job_valid,
  output logic        job_ready,

  output logic [2:0]  mark_data,
  output logic        mark_valid,
  input  wire         mark_ready,

  output logic [31:0] m_axi_araddr,
  output logic [3:0]  m_axi_arlen,
  output logic        m_axi_arvalid,
  input  wire         m_axi_arready,
  input  wire  [63:0] m_axi_rdata,
  input  wire  [1:0]  m_axi_rresp,
  input  wire         m_axi_rlast,
  input  wire         m_axi_rvalid,
  output logic        m_axi_rready,

  output logic [63:0] m_axis_tdata,
  output logic        m_axis_tvalid,
  input  wire         m_axis_tready
);

  if (FRAME_BEATS < 1) begin : gen_bad_frame_beats
    $error("axi_read: FRAME_BEATS must be at least 1");
  end
  if (OUTSTANDING < 2) begin : gen_bad_outstanding
    $error("axi_read: OUTSTANDING must be at least 2");
  end
  if (FIFO_BEATS < 16 * OUTSTANDING) begin : gen_bad_fifo_beats
    $error("axi_read: FIFO_BEATS must be at least 16*OUTSTANDING");
  end
  if (MARKS < OUTSTANDING) begin : gen_bad_marks
    $error("axi_read: MARKS must be at least OUTSTANDING");
  end

  localparam int unsigned LEFT_W = (FRAME_BEATS > 16) ? $clog2(FRAME_BEATS) : 4;
  localparam int unsigned HELD_W = $clog2(FIFO_BEATS + 2);
  localparam int unsigned MARK_W = $clog2(MARKS + 2);
  localparam logic [LEFT_W-1:0] FRAME_LEFT = LEFT_W'(FRAME_BEATS - 1);

  // Addresses: a job, then for each burst its size and the burst itself.
  typedef enum logic [1:0] {JOB, MEASURE, ASK} state_t;
  state_t            state_q;
  logic [28:0]       address_q;
  logic [20:0]       frames_q;
  logic [LEFT_W-1:0] left_q;
  logic [LEFT_W:0]   rest_q;
  logic              final_q, whole_q, cut_q, room_q;
  logic              ask, ends, to_boundary, frame_end, job_end;
  // Jobs whose last burst was asked for and is not here yet; bursts under way.
  logic              jobs_some, jobs_full, bursts_some, bursts_full;

  // left_q: beats left of the frame, less one; rest_q: the same after a burst that goes up to the
  // boundary. If it is negative, the burst ends with the frame; if it is -1 (whole_q), the frame
  // ends at the boundary.
  assign ends        = rest_q[LEFT_W];
  assign to_boundary = !ends || whole_q;
  assign ask         = (state_q == ASK) && room_q && !m_axi_arvalid;
  assign frame_end   = ask && ends;
  assign job_end     = frame_end && (final_q || cut_q);
  assign job_ready   = (state_q == JOB) && !jobs_full;
  assign ended       = job_end;

  always_ff @(posedge clk) begin
    if (job_ready) begin
      address_q <= job_address;
      frames_q  <= job_frames;
      left_q    <= FRAME_LEFT;
    end
    if (state_q == MEASURE) begin
      rest_q  <= {1'b0, left_q} + {{(LEFT_W - 3){1'b1}}, address_q[3:0]};
      whole_q <= left_q[3:0] == ~address_q[3:0];
      final_q <= frames_q == 21'd1;
    end
    if (ask) begin
      m_axi_araddr    <= {address_q, 3'b000};
      m_axi_arlen     <= ends ? left_q[3:0] : ~address_q[3:0];
      address_q[28:4] <= address_q[28:4] + 25'(to_boundary);
      address_q[3:0]  <= ends ? rest_q[3:0] + 1'b1 : '0;
      left_q          <= ends ? FRAME_LEFT : rest_q[LEFT_W-1:0];
    end
    if (frame_end) frames_q <= frames_q - 1'b1;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q       <= JOB;
      m_axi_arvalid <= 1'b0;
    end else begin
      if (ask) m_axi_arvalid <= 1'b1;
      else if (m_axi_arready) m_axi_arvalid <= 1'b0;
      if (state_q == JOB) begin
        if (job_valid && job_ready) state_q <= MEASURE;
      end else if (state_q == MEASURE) begin
        state_q <= ASK;
      end else if (ask) begin
        state_q <= job_end ? JOB : MEASURE;
      end
    end
  end

  // Data: registers behind the pins, then the FIFO.
  logic [63:0] data_q;
  logic [1:0]  resp_q;
  logic        vld_q, last_q, burst_end, flag_job, flag_frame, flag_vld;

  assign m_axi_rready = 1'b1;
  assign burst_end    = vld_q && last_q;

  always_ff @(posedge clk) begin
    data_q <= m_axi_rdata;
    resp_q <= m_axi_rresp;
    last_q <= m_axi_rlast;
  end
  always_ff @(posedge clk) begin
    if (!rst_n) vld_q <= 1'b0;
    else vld_q <= m_axi_rvalid;
  end

  logic data_rdy, flag_rdy, mark_rdy;

  axis_fifo #(
    .DATA_W   (64),
    .DEPTH    (FIFO_BEATS),
    .RAM_STYLE(RAM_STYLE)
  ) u_data (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (data_q),
    .s_axis_tvalid(vld_q),
    .s_axis_tready(data_rdy),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

  // What each burst under way is the end of.
  axis_fifo #(
    .DATA_W   (2),
    .DEPTH    (OUTSTANDING + 1),
    .RAM_STYLE(1)
  ) u_flags (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata ({job_end, frame_end}),
    .s_axis_tvalid(ask),
    .s_axis_tready(flag_rdy),
    .m_axis_tdata ({flag_job, flag_frame}),
    .m_axis_tvalid(flag_vld),
    .m_axis_tready(burst_end)
  );

  logic [1:0] error_q, error_d;
  logic       read_end, mark_push;

  assign error_d[0] = error_q[0] || (vld_q && resp_q == 2'd2);
  assign error_d[1] = error_q[1] || (vld_q && resp_q == 2'd3);
  assign mark_push  = burst_end && flag_frame;
  assign read_end   = burst_end && flag_job;

  axis_fifo #(
    .DATA_W   (3),
    .DEPTH    (MARKS),
    .RAM_STYLE(1)
  ) u_marks (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata ({flag_job, error_d}),
    .s_axis_tvalid(mark_push),
    .s_axis_tready(mark_rdy),
    .m_axis_tdata (mark_data),
    .m_axis_tvalid(mark_valid),
    .m_axis_tready(mark_ready)
  );

  axi_tally #(
    .MOST(3)
  ) u_jobs (
    .clk  (clk),
    .rst_n(rst_n),
    .up   (job_end),
    .down (read_end),
    .some (jobs_some),
    .full (jobs_full)
  );

  axi_tally #(
    .MOST(OUTSTANDING)
  ) u_bursts (
    .clk  (clk),
    .rst_n(rst_n),
    .up   (ask),
    .down (burst_end),
    .some (bursts_some),
    .full (bursts_full)
  );

  // Beats and marks held.
  logic [HELD_W-1:0] held_q;
  logic [MARK_W-1:0] marks_q;
  logic              pop, mark_pop;

  assign pop      = m_axis_tvalid && m_axis_tready;
  assign mark_pop = mark_valid && mark_ready;
  assign idle     = !m_axi_arvalid && !bursts_some;
  assign busy     = (state_q != JOB) || jobs_some;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      error_q  <= '0;
      held_q   <= '0;
      marks_q  <= '0;
      room_q   <= 1'b0;
      cut_q    <= 1'b0;
    end else begin
      error_q <= read_end ? '0 : error_d;
      if (vld_q != pop) held_q <= vld_q ? held_q + 1'b1 : held_q - 1'b1;
      if (mark_push != mark_pop) marks_q <= mark_push ? marks_q + 1'b1 : marks_q - 1'b1;
      room_q <= !stop && !bursts_full && (32'(held_q) <= FIFO_BEATS - 16 * OUTSTANDING)
        && (32'(marks_q) <= MARKS - OUTSTANDING);
      cut_q <= cut || (!jobs_some && error_q != '0);
    end
  end

`ifndef SYNTHESIS
  data_fits : assert property (@(posedge clk) disable iff (!rst_n) vld_q |-> data_rdy);
  flag_fits : assert property (@(posedge clk) disable iff (!rst_n) ask |-> flag_rdy);
  flag_known : assert property (@(posedge clk) disable iff (!rst_n) burst_end |-> flag_vld);
  mark_fits : assert property (@(posedge clk) disable iff (!rst_n) mark_push |-> mark_rdy);
  axis_checker #(.DATA_W(36)) u_address_checker (
    .clk          (clk),
    .rst_n        (rst_n),
    .m_axis_tdata ({m_axi_araddr, m_axi_arlen}),
    .m_axis_tvalid(m_axi_arvalid),
    .m_axis_tready(m_axi_arready)
  );
  page_kept : assert property (@(posedge clk) disable iff (!rst_n)
    m_axi_arvalid |-> 32'(m_axi_araddr[11:3]) + 32'(m_axi_arlen) < 512);
`endif

endmodule

`default_nettype wire

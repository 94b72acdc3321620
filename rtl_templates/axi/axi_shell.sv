// axi_shell - what stands around an accelerator: registers on one bus, DMA on another.
// s_axi is an AXI3 slave of 32 bits for the registers (axi_regs, made by PeakRDL), m_axi an AXI3
// master of 64 bits for frames and results. core_rst_n is the accelerator's reset; irq is a
// level.
// Stream: beats of WIDTH bits out, FRAME_BYTES bytes per frame; 32-bit words in, RESULT_WORDS per
//         frame, tlast on the last.
// Needs:  HASH says which model the accelerator is.
`default_nettype none

module axi_shell #(
  parameter int unsigned  WIDTH        = 64,
  parameter int unsigned  FRAME_BYTES  = 3072,
  parameter int unsigned  RESULT_WORDS = 11,
  parameter logic [127:0] HASH         = '0
) (
  input  wire              clk,
  input  wire              rst_n,
  output logic             core_rst_n,
  output logic             irq,

  input  wire  [11:0]      s_axi_awid,
  input  wire  [29:2]      s_axi_awaddr,
  input  wire  [3:0]       s_axi_awlen,
  input  wire  [1:0]       s_axi_awsize,
  input  wire  [1:0]       s_axi_awburst,
  input  wire              s_axi_awvalid,
  output logic             s_axi_awready,
  input  wire  [31:0]      s_axi_wdata,
  input  wire  [3:0]       s_axi_wstrb,
  input  wire              s_axi_wvalid,
  output logic             s_axi_wready,
  output logic [11:0]      s_axi_bid,
  output logic [1:0]       s_axi_bresp,
  output logic             s_axi_bvalid,
  input  wire              s_axi_bready,
  input  wire  [11:0]      s_axi_arid,
  input  wire  [29:2]      s_axi_araddr,
  input  wire  [3:0]       s_axi_arlen,
  input  wire  [1:0]       s_axi_arsize,
  input  wire  [1:0]       s_axi_arburst,
  input  wire              s_axi_arvalid,
  output logic             s_axi_arready,
  output logic [11:0]      s_axi_rid,
  output logic [31:0]      s_axi_rdata,
  output logic [1:0]       s_axi_rresp,
  output logic             s_axi_rlast,
  output logic             s_axi_rvalid,
  input  wire              s_axi_rready,

  output logic [31:0]      m_axi_araddr,
  output logic [3:0]       m_axi_arlen,
  output logic             m_axi_arvalid,
  input  wire              m_axi_arready,
  input  wire  [63:0]      m_axi_rdata,
  input  wire  [1:0]       m_axi_rresp,
  input  wire              m_axi_rlast,
  input  wire              m_axi_rvalid,
  output logic             m_axi_rready,
  output logic [31:0]      m_axi_awaddr,
  output logic [3:0]       m_axi_awlen,
  output logic             m_axi_awvalid,
  input  wire              m_axi_awready,
  output logic [63:0]      m_axi_wdata,
  output logic [7:0]       m_axi_wstrb,
  output logic             m_axi_wlast,
  output logic             m_axi_wvalid,
  input  wire              m_axi_wready,
  input  wire  [1:0]       m_axi_bresp,
  input  wire              m_axi_bvalid,
  output logic             m_axi_bready,

  output logic [WIDTH-1:0] m_axis_tdata,
  output logic             m_axis_tvalid,
  input  wire              m_axis_tready,

  input  wire  [31:0]      s_axis_tdata,
  input  wire              s_axis_tvalid,
  input  wire              s_axis_tlast,
  output logic             s_axis_tready
);

  if (RESULT_WORDS < 1) begin : gen_bad_result_words
    $error("axi_shell: RESULT_WORDS must be at least 1");
  end

  localparam int unsigned FRAME_BEATS = (FRAME_BYTES + 7) / 8;
  localparam int unsigned ADDR_W      = axi_regs_pkg::AXI_REGS_MIN_ADDR_WIDTH;

  logic [ADDR_W-1:0] awaddr, araddr;
  logic [31:0]       wdata, rdata;
  logic [3:0]        wstrb;
  logic [1:0]        bresp, rresp;
  logic              awvalid, awready, wvalid, wready, bvalid, bready;
  logic              arvalid, arready, rvalid, rready;

  axi_bridge #(
    .ID_W    (12),
    .WINDOW_W(30),
    .ADDR_W  (ADDR_W),
    .SIZE    (axi_regs_pkg::AXI_REGS_SIZE)
  ) u_bridge (
    .clk           (clk),
    .rst_n         (rst_n),
    .s_axi_awid    (s_axi_awid),
    .s_axi_awaddr  (s_axi_awaddr),
    .s_axi_awlen   (s_axi_awlen),
    .s_axi_awsize  (s_axi_awsize),
    .s_axi_awburst (s_axi_awburst),
    .s_axi_awvalid (s_axi_awvalid),
    .s_axi_awready (s_axi_awready),
    .s_axi_wdata   (s_axi_wdata),
    .s_axi_wstrb   (s_axi_wstrb),
    .s_axi_wvalid  (s_axi_wvalid),
    .s_axi_wready  (s_axi_wready),
    .s_axi_bid     (s_axi_bid),
    .s_axi_bresp   (s_axi_bresp),
    .s_axi_bvalid  (s_axi_bvalid),
    .s_axi_bready  (s_axi_bready),
    .s_axi_arid    (s_axi_arid),
    .s_axi_araddr  (s_axi_araddr),
    .s_axi_arlen   (s_axi_arlen),
    .s_axi_arsize  (s_axi_arsize),
    .s_axi_arburst (s_axi_arburst),
    .s_axi_arvalid (s_axi_arvalid),
    .s_axi_arready (s_axi_arready),
    .s_axi_rid     (s_axi_rid),
    .s_axi_rdata   (s_axi_rdata),
    .s_axi_rresp   (s_axi_rresp),
    .s_axi_rlast   (s_axi_rlast),
    .s_axi_rvalid  (s_axi_rvalid),
    .s_axi_rready  (s_axi_rready),
    .m_axil_awaddr (awaddr),
    .m_axil_awvalid(awvalid),
    .m_axil_awready(awready),
    .m_axil_wdata  (wdata),
    .m_axil_wstrb  (wstrb),
    .m_axil_wvalid (wvalid),
    .m_axil_wready (wready),
    .m_axil_bresp  (bresp),
    .m_axil_bvalid (bvalid),
    .m_axil_bready (bready),
    .m_axil_araddr (araddr),
    .m_axil_arvalid(arvalid),
    .m_axil_arready(arready),
    .m_axil_rdata  (rdata),
    .m_axil_rresp  (rresp),
    .m_axil_rvalid (rvalid),
    .m_axil_rready (rready)
  );

  axi_regs_pkg::axi_regs__in_t  hw;
  axi_regs_pkg::axi_regs__out_t sw;

  axi_regs u_regs (
    .clk           (clk),
    .rst_n         (rst_n),
    .s_axil_awready(awready),
    .s_axil_awvalid(awvalid),
    .s_axil_awaddr (awaddr),
    .s_axil_awprot (3'b000),
    .s_axil_wready (wready),
    .s_axil_wvalid (wvalid),
    .s_axil_wdata  (wdata),
    .s_axil_wstrb  (wstrb),
    .s_axil_bready (bready),
    .s_axil_bvalid (bvalid),
    .s_axil_bresp  (bresp),
    .s_axil_arready(arready),
    .s_axil_arvalid(arvalid),
    .s_axil_araddr (araddr),
    .s_axil_arprot (3'b000),
    .s_axil_rready (rready),
    .s_axil_rvalid (rvalid),
    .s_axil_rdata  (rdata),
    .s_axil_rresp  (rresp),
    .hwif_in       (hw),
    .hwif_out      (sw)
  );

  logic stop, idle;

  axi_reset u_reset (
    .clk       (clk),
    .rst_n     (rst_n),
    .request   (sw.control.reset.value),
    .idle      (idle),
    .stop      (stop),
    .core_rst_n(core_rst_n)
  );

  // A job starts with what the registers hold; it is refused where it could not run.
  logic       room, busy, reading, framed, done, startable, start_q, refused_q;
  logic [3:0] done_errors;

  assign startable = room && !stop && (sw.frames.count.value != '0);

  always_ff @(posedge clk) begin
    start_q   <= core_rst_n && sw.control.start.value && startable;
    refused_q <= sw.control.start.value && !startable;
  end

  logic [63:0] fetched, buffered;
  logic        fetched_vld, fetched_rdy, buffered_vld, buffered_rdy;

  axi_dma #(
    .FRAME_BEATS(FRAME_BEATS)
  ) u_dma (
    .clk          (clk),
    .rst_n        (core_rst_n),
    .stop         (stop),
    .idle         (idle),
    .source       (sw.source.address.value),
    .target       (sw.target.address.value),
    .frames       (sw.frames.count.value),
    .start        (start_q),
    .room         (room),
    .busy         (busy),
    .reading      (reading),
    .framed       (framed),
    .done         (done),
    .done_errors  (done_errors),
    .m_axi_araddr (m_axi_araddr),
    .m_axi_arlen  (m_axi_arlen),
    .m_axi_arvalid(m_axi_arvalid),
    .m_axi_arready(m_axi_arready),
    .m_axi_rdata  (m_axi_rdata),
    .m_axi_rresp  (m_axi_rresp),
    .m_axi_rlast  (m_axi_rlast),
    .m_axi_rvalid (m_axi_rvalid),
    .m_axi_rready (m_axi_rready),
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
    .m_axi_bready (m_axi_bready),
    .m_axis_tdata (fetched),
    .m_axis_tvalid(fetched_vld),
    .m_axis_tready(fetched_rdy),
    .s_axis_tdata (s_axis_tdata),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tlast (s_axis_tlast),
    .s_axis_tready(s_axis_tready)
  );

  // Registers behind the block RAM, and none of the accelerator's logic before it.
  axis_skid #(
    .DATA_W(64)
  ) u_skid (
    .clk          (clk),
    .rst_n        (core_rst_n),
    .s_axis_tdata (fetched),
    .s_axis_tvalid(fetched_vld),
    .s_axis_tready(fetched_rdy),
    .m_axis_tdata (buffered),
    .m_axis_tvalid(buffered_vld),
    .m_axis_tready(buffered_rdy)
  );

  axi_unpack #(
    .WIDTH      (WIDTH),
    .FRAME_BYTES(FRAME_BYTES)
  ) u_unpack (
    .clk          (clk),
    .rst_n        (core_rst_n),
    .s_axis_tdata (buffered),
    .s_axis_tvalid(buffered_vld),
    .s_axis_tready(buffered_rdy),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

  // The errors of a job show together with its count, a cycle before it.
  logic [3:0]  errors_q;
  logic        done_q, clean, irq_q;
  logic [31:0] jobs, job_failed, results, cycles, starved, stalled;

  axi_counters u_counters (
    .clk       (clk),
    .rst_n     (core_rst_n),
    .done      (done),
    .errors    (done_errors != '0),
    .clean     (clean),
    .framed    (framed),
    .busy      (busy),
    .starves   (reading && m_axis_tready && !m_axis_tvalid),
    .stalls    (s_axis_tvalid && !s_axis_tready),
    .jobs      (jobs),
    .job_failed(job_failed),
    .results   (results),
    .cycles    (cycles),
    .starved   (starved),
    .stalled   (stalled)
  );

  always_ff @(posedge clk) begin
    done_q      <= done;
    errors_q    <= done ? done_errors : '0;
    irq_q       <= sw.interrupt.enable.value && sw.interrupt.done.value;
  end

  assign irq       = irq_q;
  assign clean     = !(sw.errors.read_slverr.value || sw.errors.read_decerr.value
    || sw.errors.write_slverr.value || sw.errors.write_decerr.value);

  assign hw.frame_bytes.value.next  = 8 * FRAME_BEATS;
  assign hw.result_words.value.next = RESULT_WORDS;
  for (genvar i = 0; i < 4; i++) begin : gen_hash
    assign hw.hash[i].value.next = HASH[32*(3-i) +: 32];
  end
  assign hw.status.room.next            = room && !stop;
  assign hw.status.busy.next            = busy;
  assign hw.status.resetting.next       = stop;
  assign hw.errors.read_slverr.hwset    = errors_q[0];
  assign hw.errors.read_decerr.hwset    = errors_q[1];
  assign hw.errors.write_slverr.hwset   = errors_q[2];
  assign hw.errors.write_decerr.hwset   = errors_q[3];
  assign hw.errors.refused.hwset        = refused_q;
  assign hw.errors.read_slverr.hwclr    = !core_rst_n;
  assign hw.errors.read_decerr.hwclr    = !core_rst_n;
  assign hw.errors.write_slverr.hwclr   = !core_rst_n;
  assign hw.errors.write_decerr.hwclr   = !core_rst_n;
  assign hw.errors.refused.hwclr        = !core_rst_n;
  assign hw.interrupt.done.hwset        = done_q;
  assign hw.interrupt.done.hwclr        = !core_rst_n;
  assign hw.failed.job.next             = job_failed;
  assign hw.jobs.count.next             = jobs;
  assign hw.results.count.next          = results;
  assign hw.cycles.count.next           = cycles;
  assign hw.starved.count.next          = starved;
  assign hw.stalled.count.next          = stalled;

endmodule

`default_nettype wire

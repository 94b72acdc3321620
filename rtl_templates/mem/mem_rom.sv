// mem_rom - ROM with a registered read, filled from a file.
// dout = ROM[addr]
// Rate:   one word per cycle; latency 1 + OUT_REG cycles. OUT_REG == 2: for many words in logic,
//         which are read bank by bank.
// Needs:  INIT_FILE in $readmemh format with DEPTH words; STYLE "auto", "logic" (LUT logic) or
//         "block" (block RAM). Without a file every word is zero.
`default_nettype none

module mem_rom #(
  parameter int unsigned WIDTH     = 8,
  parameter int unsigned DEPTH     = 16,
  parameter string       INIT_FILE = "",
  parameter string       STYLE     = "auto",
  parameter int unsigned OUT_REG   = 0,
  localparam int unsigned ADDR_W   = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire               clk,
  input  wire  [ADDR_W-1:0] addr,
  output logic [WIDTH-1:0]  dout
);

  localparam logic [WIDTH-1:0] ZERO = WIDTH'(0);
  // Bits that one address register reads in logic, a LUT for each and every 64 words; few words are
  // but few functions, which the bits of a slice share. Words of a bank: four LUTs a bit and the
  // multiplexers behind them.
  localparam int unsigned SLICE =
      (DEPTH <= 8) ? 256 : (DEPTH <= 512) ? 64 / ((DEPTH + 63) / 64) : 8;
  localparam int unsigned BANK  = 256;

  if (WIDTH < 1) begin : gen_bad_width
    $error("mem_rom: WIDTH must be at least 1");
  end
  if (DEPTH < 1) begin : gen_bad_depth
    $error("mem_rom: DEPTH must be at least 1");
  end
  if (OUT_REG > 2 || (OUT_REG == 2 && (STYLE != "logic" || DEPTH <= BANK))) begin : gen_bad_out_reg
    $error("mem_rom: OUT_REG must be 0 or 1, or 2 for logic of more than 256 words");
  end
  if (STYLE != "auto" && STYLE != "logic" && STYLE != "block") begin : gen_bad_style
    $error("mem_rom: STYLE must be auto, logic or block");
  end

  // Attributes take no parameters, hence one branch per style. Initialised LUT RAM is never asked
  // for: open place-and-route tools drop its contents.
  // In logic with registers, the first one holds the address, once for each slice of the word, so
  // that none drives it all. keep: no tool makes them one again.
  if (OUT_REG == 2) begin : gen_banked
    // The second register holds a word of each bank, the third the one that was asked for.
    localparam int unsigned BANKS  = (DEPTH + BANK - 1) / BANK;
    localparam int unsigned WORD_W = $clog2(BANK);
    (* rom_style = "logic" *) logic [WIDTH-1:0] mem [BANKS*BANK];
    initial begin
      for (int i = 0; i < int'(BANKS * BANK); i++) mem[i] = ZERO;
      if (INIT_FILE != "") $readmemh(INIT_FILE, mem, 0, DEPTH - 1);
    end
    for (genvar low = 0; low < int'(WIDTH); low += int'(SLICE)) begin : gen_slice
      localparam int unsigned REST = int'(WIDTH) - low;
      localparam int unsigned BITS = (REST < SLICE) ? REST : SLICE;
      (* keep = "true" *) logic [ADDR_W-1:0] addr_q;
      (* keep = "true" *) logic [ADDR_W-WORD_W-1:0] bank_q;
      logic [BITS-1:0] words [BANKS];
      logic [BITS-1:0] data_q;
      for (genvar b = 0; b < int'(BANKS); b++) begin : gen_bank
        // A register of its own: an array would be a memory, and the ROM's address its register.
        logic [BITS-1:0] word_q;
        always_ff @(posedge clk) begin
          word_q <= mem[{(ADDR_W-WORD_W)'(b), addr_q[WORD_W-1:0]}][low +: BITS];
        end
        assign words[b] = word_q;
      end
      always_ff @(posedge clk) begin
        addr_q <= addr;
        bank_q <= addr_q[ADDR_W-1:WORD_W];
        data_q <= words[bank_q];
      end
      assign dout[low +: BITS] = data_q;
    end
  end else if (STYLE == "logic" && OUT_REG != 0 && DEPTH > 1) begin : gen_sliced
    (* rom_style = "logic" *) logic [WIDTH-1:0] mem [DEPTH];
    initial begin
      if (INIT_FILE != "") $readmemh(INIT_FILE, mem);
      else for (int i = 0; i < int'(DEPTH); i++) mem[i] = ZERO;
    end
    for (genvar low = 0; low < int'(WIDTH); low += int'(SLICE)) begin : gen_slice
      localparam int unsigned REST = int'(WIDTH) - low;
      localparam int unsigned BITS = (REST < SLICE) ? REST : SLICE;
      (* keep = "true" *) logic [ADDR_W-1:0] addr_q;
      logic [BITS-1:0] data_q;
      always_ff @(posedge clk) begin
        addr_q <= addr;
        data_q <= mem[addr_q][low +: BITS];
      end
      assign dout[low +: BITS] = data_q;
    end
  end else begin : gen_plain
    logic [WIDTH-1:0] read_q;

    if (DEPTH == 1) begin : gen_constant
      // An array of one word is no memory to some tools: two, the second never read.
      logic [WIDTH-1:0] mem [2];
      initial begin
        if (INIT_FILE != "") $readmemh(INIT_FILE, mem, 0, 0);
        else mem[0] = ZERO;
      end
      always_ff @(posedge clk) read_q <= mem[0];
      logic unused;
      assign unused = &{1'b0, addr, mem[1]};
    end else if (STYLE == "block") begin : gen_block
      (* rom_style = "block" *) logic [WIDTH-1:0] mem [DEPTH];
      initial begin
        if (INIT_FILE != "") $readmemh(INIT_FILE, mem);
        else for (int i = 0; i < int'(DEPTH); i++) mem[i] = ZERO;
      end
      always_ff @(posedge clk) read_q <= mem[addr];
    end else if (STYLE == "logic") begin : gen_logic
      (* rom_style = "logic" *) logic [WIDTH-1:0] mem [DEPTH];
      initial begin
        if (INIT_FILE != "") $readmemh(INIT_FILE, mem);
        else for (int i = 0; i < int'(DEPTH); i++) mem[i] = ZERO;
      end
      always_ff @(posedge clk) read_q <= mem[addr];
    end else begin : gen_auto
      logic [WIDTH-1:0] mem [DEPTH];
      initial begin
        if (INIT_FILE != "") $readmemh(INIT_FILE, mem);
        else for (int i = 0; i < int'(DEPTH); i++) mem[i] = ZERO;
      end
      always_ff @(posedge clk) read_q <= mem[addr];
    end

    if (OUT_REG != 0) begin : gen_out_reg
      logic [WIDTH-1:0] out_q;
      always_ff @(posedge clk) out_q <= read_q;
      assign dout = out_q;
    end else begin : gen_no_out_reg
      assign dout = read_q;
    end
  end

endmodule

`default_nettype wire

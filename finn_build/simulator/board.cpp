// A Zynq-7000 board around the Verilated chip, as a shared library: the processor's accesses on GP0
// and the memory behind HP0. The C functions at the end are what simulator/pynq loads.
// The clock runs only inside of board_run and board_access. RTL_FOLDER has the memory images.
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "Vchip.h"
#include "Vchip___024root.h"
#include "rtl_folder.h"
#include "verilated.h"

#define PS7(name) top.rootp->chip__DOT__zynq_i__DOT__u_ps7__DOT__u_ps7__DOT__##name

namespace {

constexpr unsigned OKAY = 0, DECERR = 3;
constexpr int RESET_CYCLES = 60, ACCESS_LIMIT = 2000;

struct Fault {
  uint32_t first, end;
  unsigned response;
};
struct Burst {
  uint64_t when;
  uint32_t address;
  unsigned beats;
};
struct Answer {
  uint64_t when;
  unsigned response;
};

// The processors' side of the memory port, which no bitstream resets.
struct Port {
  uint64_t cycle = 0;
  std::deque<Burst> reads, writes;
  std::deque<Answer> answers;
  unsigned worst = OKAY;  // of the beats of the burst that is being written
};

struct Board : Port {
  VerilatedContext context;
  Vchip top{&context};
  uint8_t* memory;
  uint32_t base, size;
  unsigned latency = 20;
  bool narrow = false, blocked = false;
  std::vector<Fault> faults;

  // port: as the chip before this one left it, or null.
  Board(uint8_t* memory, uint32_t base, uint32_t size, const Port* port)
      : Port(port ? *port : Port()), memory(memory), base(base), size(size) {
    PS7(fclk_reset_n) = 0;
    run(RESET_CYCLES);
    PS7(fclk_reset_n) = 1;
    run(RESET_CYCLES);
  }

  void reset(bool on) {
    if (PS7(fclk_reset_n) == !on) return;
    PS7(fclk_reset_n) = !on;
    run(RESET_CYCLES);
  }

  unsigned response(uint32_t address) const {
    for (const Fault& fault : faults)
      if (fault.first < address + 8 && address < fault.end) return fault.response;
    return address >= base && address - base <= size - 8 ? OKAY : DECERR;
  }

  // One rising edge: what was valid and ready before it happens, then the memory's side changes.
  void step() {
    const bool asked = PS7(hp0_arvalid) && PS7(hp0_arready);
    const bool given = PS7(hp0_rvalid) && PS7(hp0_rready);
    const bool address = PS7(hp0_awvalid) && PS7(hp0_awready);
    const bool data = PS7(hp0_wvalid) && PS7(hp0_wready);
    const bool answered = PS7(hp0_bvalid) && PS7(hp0_bready);
    if (asked) reads.push_back({cycle + latency, PS7(hp0_araddr), PS7(hp0_arlen) + 1u});
    if (address) writes.push_back({0, PS7(hp0_awaddr), PS7(hp0_awlen) + 1u});
    if (data) store();
    PS7(fclk) = 1;
    top.eval();
    ++cycle;
    if (given) {
      reads.front().address += 8;
      if (--reads.front().beats == 0) reads.pop_front();
    }
    if (answered) answers.pop_front();
    PS7(hp0_arready) = PS7(hp0_awready) = !blocked;
    // Data waits for its address.
    PS7(hp0_wready) = !blocked && !writes.empty();
    offer();
    PS7(fclk) = 0;
    top.eval();
  }

  void offer() {
    const bool read = !reads.empty() && reads.front().when <= cycle && !blocked;
    PS7(hp0_rvalid) = read;
    if (read) {
      const uint32_t at = reads.front().address;
      const unsigned code = response(at);
      uint64_t word = 0;
      if (code == OKAY) std::memcpy(&word, memory + (at - base), narrow ? 4 : 8);
      PS7(hp0_rdata) = word;
      PS7(hp0_rresp) = code;
      PS7(hp0_rlast) = reads.front().beats == 1;
    }
    const bool answer = !answers.empty() && answers.front().when <= cycle && !blocked;
    PS7(hp0_bvalid) = answer;
    if (answer) PS7(hp0_bresp) = answers.front().response;
  }

  // A burst's answer is the worst of its beats'. A narrow port has no upper lanes.
  void store() {
    Burst& burst = writes.front();
    const unsigned code = response(burst.address);
    const uint64_t word = PS7(hp0_wdata);
    for (int lane = 0; lane < (narrow ? 4 : 8) && code == OKAY; ++lane)
      if (PS7(hp0_wstrb) >> lane & 1) memory[burst.address - base + lane] = word >> (8 * lane);
    if (code > worst) worst = code;
    burst.address += 8;
    if (--burst.beats == 0) {
      writes.pop_front();
      answers.push_back({cycle + latency, worst});
      worst = OKAY;
    }
  }

  void run(uint64_t cycles) {
    while (cycles--) step();
  }

  // An access of one word; returns its response, or -1 where nobody answers.
  int access(bool write, uint32_t address, uint32_t* data) {
    PS7(gp0_awaddr) = PS7(gp0_araddr) = address;
    PS7(gp0_awsize) = PS7(gp0_arsize) = 2;
    PS7(gp0_awburst) = PS7(gp0_arburst) = 1;
    PS7(gp0_wdata) = *data;
    PS7(gp0_wstrb) = 15;
    PS7(gp0_wlast) = 1;
    PS7(gp0_awvalid) = PS7(gp0_wvalid) = PS7(gp0_bready) = write;
    PS7(gp0_arvalid) = PS7(gp0_rready) = !write;
    top.eval();
    int result = -1;
    for (int i = 0; i < ACCESS_LIMIT && result < 0; ++i) {
      const bool aw = PS7(gp0_awready), w = PS7(gp0_wready), ar = PS7(gp0_arready);
      if (write && PS7(gp0_bvalid)) result = PS7(gp0_bresp);
      if (!write && PS7(gp0_rvalid)) {
        result = PS7(gp0_rresp);
        *data = PS7(gp0_rdata);
      }
      step();
      if (aw) PS7(gp0_awvalid) = 0;
      if (w) PS7(gp0_wvalid) = 0;
      if (ar) PS7(gp0_arvalid) = 0;
      top.eval();
    }
    PS7(gp0_awvalid) = PS7(gp0_wvalid) = PS7(gp0_bready) = 0;
    PS7(gp0_arvalid) = PS7(gp0_rready) = 0;
    top.eval();
    return result;
  }
};

}  // namespace

extern "C" {

// memory: size bytes that stand at the physical address base; port: of the chip that was there
// before, which is deleted after this, or null.
Board* board_new(uint8_t* memory, uint32_t base, uint32_t size, const Port* port) {
  char before[PATH_MAX];
  if (!getcwd(before, sizeof before) || chdir(RTL_FOLDER) != 0) return nullptr;
  Board* board = new Board(memory, base, size, port);
  return chdir(before) == 0 ? board : nullptr;
}
void board_delete(Board* board) { delete board; }
const Port* board_port(const Board* board) { return board; }
void board_run(Board* board, uint64_t cycles) { board->run(cycles); }
int board_access(Board* board, int write, uint32_t address, uint32_t* data) {
  return board->access(write, address, data);
}
uint64_t board_cycles(const Board* board) { return board->cycle; }
void board_latency(Board* board, unsigned cycles) { board->latency = cycles; }
// FCLK0's reset, which the processors hold or leave.
void board_reset(Board* board, int on) { board->reset(on); }
// Bursts that the chip began and that did not end: reads, writes, writes without their answer.
int board_bursts(const Board* board, int kind) {
  const size_t counts[] = {board->reads.size(), board->writes.size(), board->answers.size()};
  return counts[kind];
}
// The memory's port takes 32 bits of 64 where it was not set to 64.
void board_narrow(Board* board, int narrow) { board->narrow = narrow; }
// The memory stops to answer.
void board_block(Board* board, int blocked) { board->blocked = blocked; }
// Accesses to the bytes from first to end get an error response; none of them do where end is 0.
void board_fault(Board* board, uint32_t first, uint32_t end, unsigned response) {
  board->faults.clear();
  if (end) board->faults.push_back({first, end, response});
}
}

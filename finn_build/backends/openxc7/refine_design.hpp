// A placed design as the annealing sees it: slices with places, nodes in them, nets between nodes.
//
// It says what a placement costs in wires and delays, makes a move or refuses it, and undoes it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <istream>
#include <map>
#include <random>
#include <utility>
#include <vector>

constexpr int PLACES = 4, FREE = -1;
constexpr int MOST_PINS = 64;      // of a net whose wirelength counts
constexpr int MOST_INPUTS = 16;    // of a slice that wires lead to
constexpr int MOST_LOADS = 2000;   // of a net whose delays count
constexpr double TIMING_SHARE = 0.6;
constexpr float SETUP = 100;       // of a flip-flop, in ps
constexpr float IN_PAIR = 250;     // through a LUT to its own flip-flop, in ps

enum Kind { CLOCKED, LOGIC, CARRY, LUT, PAIR, REGISTER };

struct Node {
  int kind, set, slice, place, pins;
  float x, y, delay;
  bool movable() const { return kind >= LUT; }
  bool logic() const { return kind >= LOGIC && kind <= LUT; }
  bool has_register() const { return kind >= PAIR; }
};

struct Slice {
  float x, y;
  int column, row;
  int main[PLACES], side[PLACES];
};

// Delay of a wire in ps as nextpnr estimates it for 7 series before it routes.
inline float wire(float dx, float dy) {
  dx = std::fabs(dx), dy = std::fabs(dy);
  return 500 + 12 * (2 * std::max(dy - 6, 0.f) + 4 * std::min(dy, 6.f) + std::max(dx - 12, 0.f) +
                     2 * std::min(dx, 12.f));
}

class Design {
 public:
  std::vector<Node> nodes;
  std::vector<Slice> slices;

  explicit Design(std::istream& in) {
    size_t count;
    in >> count;
    slices.resize(count);
    for (auto& s : slices) {
      in >> s.x >> s.y;
      std::fill_n(s.main, PLACES, FREE);
      std::fill_n(s.side, PLACES, FREE);
    }
    in >> count;
    nodes.resize(count);
    for (auto& n : nodes) in >> n.kind >> n.set >> n.slice >> n.x >> n.y >> n.delay >> n.pins;
    in >> count;
    std::vector<int> pins;
    for (size_t net = 0; net < count; net++) {
      int size;
      in >> size;
      pins.resize(size);
      for (int& pin : pins) in >> pin;
      add_net(pins);
    }
    if (!in) std::exit((std::fprintf(stderr, "refine: the problem is cut short\n"), 1));
    index_nets();
    index_slices();
    settle();
  }

  // ---------------------------------------------------------------- cost
  double net_cost(int net) const {
    const int* pin = &net_pins_[net_at_[net]];
    const int* end = &net_pins_[net_at_[net + 1]];
    float x0 = nodes[*pin].x, x1 = x0, y0 = nodes[*pin].y, y1 = y0;
    for (pin++; pin < end; pin++) {
      const Node& n = nodes[*pin];
      x0 = std::min(x0, n.x), x1 = std::max(x1, n.x);
      y0 = std::min(y0, n.y), y1 = std::max(y1, n.y);
    }
    return (x1 - x0) + 2 * (y1 - y0);
  }

  float delay(int arc) const {
    const Node &a = nodes[from_[arc]], &b = nodes[to_[arc]];
    // Within a slice, and along a column, a carry chain has wires of its own.
    if (b.kind == CARRY && !a.movable() && a.x == b.x && std::fabs(a.y - b.y) <= 1) return 0;
    return wire(a.x - b.x, a.y - b.y);
  }

  void take_stock(double exponent, float period) {
    time_arcs(exponent, period);
    wirelength = delays = 0;
    for (size_t net = 0; net + 1 < net_at_.size(); net++)
      wirelength += costs_[net] = net_cost(static_cast<int>(net));
    for (size_t arc = 0; arc < from_.size(); arc++) delays += weight_[arc] * delay(static_cast<int>(arc));
  }

  double wirelength = 0, delays = 0;
  float longest = 0;

  // ---------------------------------------------------------------- moves
  // Puts what stands in two places, in mains or sides, into each other's; false if flip-flops of
  // different sets would meet or too many inputs. Done twice it undoes itself.
  bool swap(int (Slice::*what)[PLACES], int a, int i, int b, int j) {
    int &one = (slices[a].*what)[i], &other = (slices[b].*what)[j];
    std::swap(one, other);
    if (legal(a) && legal(b)) return put(one, a, i), put(other, b, j), true;
    std::swap(one, other);
    return false;
  }

  void swap_slices(int a, int b) {
    for (int i = 0; i < PLACES; i++) {
      std::swap(slices[a].main[i], slices[b].main[i]);
      std::swap(slices[a].side[i], slices[b].side[i]);
      put(slices[a].main[i], a, i), put(slices[b].main[i], b, i);
      put(slices[a].side[i], a, i), put(slices[b].side[i], b, i);
    }
  }

  // The change in cost, relative to all of it, of nodes that have just moved from where `old` says.
  struct Moved {
    int node;
    float x, y;
  };
  double change(const std::vector<Moved>& moved) {
    stamp_++;
    touched_.clear();
    double wires = 0, slow = 0;
    for (const auto& m : moved) {
      for (int k = nets_at_[m.node]; k < nets_at_[m.node + 1]; k++) {
        int net = nets_of_[k];
        if (seen_[net] == stamp_) continue;
        seen_[net] = stamp_;
        double now = net_cost(net);
        touched_.push_back({net, now});
        wires += now - costs_[net];
      }
      old_[m.node] = {stamp_, m.x, m.y};
    }
    for (const auto& m : moved) {
      for (int k = arcs_at_[m.node]; k < arcs_at_[m.node + 1]; k++) {
        int arc = arcs_of_[k];
        if (weight_[arc] < 1e-4f || arc_seen_[arc] == stamp_) continue;
        arc_seen_[arc] = stamp_;
        float ax, ay, bx, by;
        before(from_[arc], ax, ay), before(to_[arc], bx, by);
        slow += weight_[arc] * (delay(arc) - wire(ax - bx, ay - by));
      }
    }
    wires_ = wires, slow_ = slow;
    return (1 - TIMING_SHARE) * wires / wirelength + TIMING_SHARE * slow / std::max(delays, 1.0);
  }

  void accept() {
    for (const auto& [net, cost] : touched_) costs_[net] = cost;
    wirelength += wires_, delays += slow_;
  }

  // A slice some columns and rows away, itself included; -1 where there is none.
  int near(int slice, int columns, int rows, std::mt19937& rng) const {
    const Slice& s = slices[slice];
    int c = s.column + static_cast<int>(rng() % (2 * columns + 1)) - columns;
    int r = s.row + static_cast<int>(rng() % (2 * rows + 1)) - rows;
    if (c < 0 || r < 0 || c >= columns_ || r >= rows_) return -1;
    const auto& here = at_[static_cast<size_t>(c) * rows_ + r];
    return here.empty() ? -1 : here[rng() % here.size()];
  }

  size_t net_count() const { return costs_.size(); }
  int span() const { return std::max(columns_, rows_); }

 private:
  std::vector<int> net_at_{0}, net_pins_;           // pins of each net that counts
  std::vector<int> from_, to_;                      // ends of each arc that counts
  std::vector<float> weight_;                       // how critical it is
  std::vector<int> nets_at_, nets_of_, arcs_at_, arcs_of_;
  std::vector<double> costs_;
  std::vector<uint32_t> seen_, arc_seen_;
  struct Old {
    uint32_t stamp;
    float x, y;
  };
  std::vector<Old> old_;
  std::vector<std::pair<int, double>> touched_;
  double wires_ = 0, slow_ = 0;
  uint32_t stamp_ = 0;
  int columns_ = 0, rows_ = 0;
  std::vector<std::vector<int>> at_;
  std::vector<int> order_;  // arcs by the order of signals

  void add_net(std::vector<int>& pins) {
    int driver = pins[0];
    std::sort(pins.begin() + 1, pins.end());
    pins.erase(std::unique(pins.begin() + 1, pins.end()), pins.end());
    pins.erase(std::remove(pins.begin() + 1, pins.end(), driver), pins.end());
    if (pins.size() < 2) return;
    if (pins.size() <= MOST_LOADS)
      for (size_t k = 1; k < pins.size(); k++) from_.push_back(driver), to_.push_back(pins[k]);
    if (pins.size() > MOST_PINS) return;
    net_pins_.insert(net_pins_.end(), pins.begin(), pins.end());
    net_at_.push_back(static_cast<int>(net_pins_.size()));
  }

  static void index(size_t nodes, const std::vector<std::pair<int, int>>& entries,
                    std::vector<int>& at, std::vector<int>& of) {
    at.assign(nodes + 1, 0);
    for (const auto& entry : entries) at[entry.first + 1]++;
    for (size_t n = 0; n < nodes; n++) at[n + 1] += at[n];
    of.resize(entries.size());
    auto next = at;
    for (const auto& [node, what] : entries) of[next[node]++] = what;
  }

  void index_nets() {
    std::vector<std::pair<int, int>> entries;
    for (size_t net = 0; net + 1 < net_at_.size(); net++)
      for (int k = net_at_[net]; k < net_at_[net + 1]; k++)
        entries.emplace_back(net_pins_[k], static_cast<int>(net));
    index(nodes.size(), entries, nets_at_, nets_of_);
    entries.clear();
    for (size_t arc = 0; arc < from_.size(); arc++) {
      entries.emplace_back(from_[arc], static_cast<int>(arc));
      entries.emplace_back(to_[arc], static_cast<int>(arc));
    }
    index(nodes.size(), entries, arcs_at_, arcs_of_);
    costs_.assign(net_at_.size() - 1, 0);
    seen_.assign(net_at_.size() - 1, 0);
    arc_seen_.assign(from_.size(), 0);
    weight_.assign(from_.size(), 0);
    old_.assign(nodes.size(), {0, 0, 0});
    sort_arcs();
  }

  void index_slices() {
    std::map<float, int> columns, rows;
    for (const auto& s : slices) columns[s.x], rows[s.y];
    for (auto& [x, k] : columns) k = columns_++;
    for (auto& [y, k] : rows) k = rows_++;
    at_.resize(static_cast<size_t>(columns_) * rows_);
    for (size_t k = 0; k < slices.size(); k++) {
      Slice& s = slices[k];
      s.column = columns[s.x], s.row = rows[s.y];
      at_[static_cast<size_t>(s.column) * rows_ + s.row].push_back(static_cast<int>(k));
    }
  }

  bool legal(int slice) const {
    int set = FREE, pins = 0;
    for (int i = 0; i < PLACES; i++)
      for (int n : {slices[slice].main[i], slices[slice].side[i]}) {
        if (n == FREE) continue;
        pins += nodes[n].pins;
        if (!nodes[n].has_register()) continue;
        if (set != FREE && set != nodes[n].set) return false;
        set = nodes[n].set;
      }
    return pins <= MOST_INPUTS;
  }

  void put(int node, int slice, int place) {
    if (node == FREE) return;
    nodes[node].slice = slice, nodes[node].place = place;
    nodes[node].x = slices[slice].x, nodes[node].y = slices[slice].y;
  }

  // Every node into the nearest place that takes it; those with a set that few share go first, for
  // they need slices of their own.
  void settle() {
    std::map<int, int> sizes;
    for (const auto& n : nodes) sizes[n.set]++;
    std::vector<int> order;
    for (size_t n = 0; n < nodes.size(); n++)
      if (nodes[n].movable()) order.push_back(static_cast<int>(n));
    auto rank = [&](int n) {
      return std::make_pair(nodes[n].has_register() ? 0 : 1, sizes[nodes[n].set]);
    };
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return rank(a) < rank(b); });
    for (int n : order)
      if (!settle_one(n))
        std::exit((std::fprintf(stderr, "refine: no place is left for node %d\n", n), 1));
  }

  bool settle_one(int node) {
    const Slice& home = slices[nodes[node].slice];
    for (int radius = 0; radius <= span(); radius++)
      for (int c = home.column - radius; c <= home.column + radius; c++)
        for (int r = home.row - radius; r <= home.row + radius; r++) {
          bool rim = std::abs(c - home.column) == radius || std::abs(r - home.row) == radius;
          if (!rim || c < 0 || r < 0 || c >= columns_ || r >= rows_) continue;
          for (int slice : at_[static_cast<size_t>(c) * rows_ + r])
            for (int i = 0; i < PLACES; i++) {
              int& where = nodes[node].kind == REGISTER ? slices[slice].side[i] : slices[slice].main[i];
              if (where != FREE) continue;
              where = node;
              if (legal(slice)) return put(node, slice, i), true;
              where = FREE;
              break;
            }
        }
    return false;
  }

  void before(int node, float& x, float& y) const {
    bool moved = old_[node].stamp == stamp_;
    x = moved ? old_[node].x : nodes[node].x;
    y = moved ? old_[node].y : nodes[node].y;
  }

  // Arcs after those that their signals come through; what closes a loop comes last.
  void sort_arcs() {
    std::vector<int> waits(nodes.size(), 0), ready;
    for (int n : to_) waits[n]++;
    for (size_t n = 0; n < nodes.size(); n++)
      if (!nodes[n].logic() || waits[n] == 0) ready.push_back(static_cast<int>(n));
    std::vector<char> taken(from_.size(), 0);
    for (size_t k = 0; k < ready.size(); k++)
      for (int e = arcs_at_[ready[k]]; e < arcs_at_[ready[k] + 1]; e++) {
        int arc = arcs_of_[e];
        if (from_[arc] != ready[k]) continue;
        order_.push_back(arc), taken[arc] = 1;
        int n = to_[arc];
        if (--waits[n] == 0 && nodes[n].logic()) ready.push_back(n);
      }
    for (size_t arc = 0; arc < from_.size(); arc++)
      if (!taken[arc]) order_.push_back(static_cast<int>(arc));
  }

  // Weighs each arc by its share in the longest path through it.
  void time_arcs(double exponent, float period) {
    std::vector<float> arrives(nodes.size()), leaves(nodes.size(), 0);
    for (size_t n = 0; n < nodes.size(); n++) arrives[n] = nodes[n].logic() ? 0 : nodes[n].delay;
    longest = 0;
    auto end = [&](int n) { return nodes[n].kind == PAIR ? IN_PAIR + SETUP : SETUP; };
    for (int arc : order_) {
      float at = arrives[from_[arc]] + delay(arc);
      int n = to_[arc];
      if (nodes[n].logic()) arrives[n] = std::max(arrives[n], at + nodes[n].delay);
      else longest = std::max(longest, at + end(n));
    }
    for (size_t k = order_.size(); k-- > 0;) {
      int arc = order_[k], n = to_[arc];
      float rest = delay(arc) + (nodes[n].logic() ? nodes[n].delay + leaves[n] : end(n));
      leaves[from_[arc]] = std::max(leaves[from_[arc]], rest);
    }
    float worst = std::max(longest, period);
    for (size_t arc = 0; arc < from_.size(); arc++) {
      int n = to_[arc];
      float path = arrives[from_[arc]] + delay(static_cast<int>(arc)) +
                   (nodes[n].logic() ? nodes[n].delay + leaves[n] : end(n));
      weight_[arc] = static_cast<float>(std::pow(std::min(path / worst, 1.f), exponent));
    }
  }
};

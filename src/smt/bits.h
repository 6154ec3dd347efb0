// SPDX-License-Identifier: Apache-2.0
//
// Booleans that fold. The encoding is written once, over Bit. On a concrete case every Bit is a
// constant and the encoding runs as plain C++; in a query it builds a circuit, in which rules, the
// initial state and equal subterms have folded away before the solver sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"

namespace iommucheck::smt {

class Circuit;

// A constant, or a literal of a circuit.
class Bit {
 public:
  Bit() = default;
  Bit(bool value) : literal_(value ? kTrue : kFalse) {}  // NOLINT: constants are written as bool
  Bit(Circuit* circuit, uint32_t literal) : circuit_(circuit), literal_(literal) {}

  [[nodiscard]] bool is_true() const { return literal_ == kTrue; }
  [[nodiscard]] bool is_false() const { return literal_ == kFalse; }
  [[nodiscard]] bool is_constant() const { return literal_ <= kFalse; }
  [[nodiscard]] Circuit* circuit() const { return circuit_; }
  [[nodiscard]] uint32_t literal() const { return literal_; }
  [[nodiscard]] uint32_t node() const { return literal_ >> 1U; }
  [[nodiscard]] bool negated() const { return (literal_ & 1U) != 0; }

  friend Bit operator~(Bit a) { return {a.circuit_, a.literal_ ^ 1U}; }
  friend Bit operator&(Bit a, Bit b);
  friend Bit operator|(Bit a, Bit b) { return ~(~a & ~b); }
  Bit& operator&=(Bit b) { return *this = *this & b; }
  Bit& operator|=(Bit b) { return *this = *this | b; }
  friend bool operator==(Bit a, Bit b) { return a.literal_ == b.literal_; }

 private:
  static constexpr uint32_t kTrue = 0;  // node 0 is the constant
  static constexpr uint32_t kFalse = 1;
  Circuit* circuit_ = nullptr;
  uint32_t literal_ = kFalse;
};

Bit Ite(Bit condition, Bit then, Bit otherwise);
inline Bit Same(Bit a, Bit b) { return Ite(a, b, ~b); }
inline Bit Implies(Bit a, Bit b) { return ~a | b; }

// The gates that the literals point at: two-input ANDs, multiplexers and inputs, each made once.
class Circuit {
 public:
  struct Gate {
    enum class Kind : uint8_t { kConstant, kInput, kAnd, kIte };
    Kind kind = Kind::kConstant;
    uint32_t a = 0;  // literals: kAnd a, b; kIte: if a then b else c
    uint32_t b = 0;
    uint32_t c = 0;
    friend bool operator==(const Gate&, const Gate&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Gate& g) {
      return H::combine(std::move(h), static_cast<uint8_t>(g.kind), g.a, g.b, g.c);
    }
  };

  Circuit() : gates_(1) {}
  Circuit(const Circuit&) = delete;
  Circuit& operator=(const Circuit&) = delete;

  Bit Input() { return Add({.kind = Gate::Kind::kInput}, false); }
  Bit And(uint32_t a, uint32_t b);
  Bit Mux(uint32_t condition, uint32_t then, uint32_t otherwise);
  [[nodiscard]] const std::vector<Gate>& gates() const { return gates_; }
  // By node: whether some of the bits depend on it.
  [[nodiscard]] std::vector<bool> ConeOf(const std::vector<Bit>& bits) const;

 private:
  Bit Add(const Gate& gate, bool shared);
  std::vector<Gate> gates_;
  absl::flat_hash_map<Gate, uint32_t> unique_;
};

// A vector of bits; most are one-hot codes of an index, and all false means "none".
using Bits = absl::InlinedVector<Bit, 6>;

Bit Any(const Bits& bits);
inline Bit None(const Bits& bits) { return ~Any(bits); }
Bits Zeros(int size);
Bits OneHot(int size, int index);  // index out of range: none
// The values that a model of the solver, or a replay, gives to bits.
using Value = std::function<bool(Bit)>;
// The index that a one-hot code has then; -1: none.
int IndexOf(const Bits& code, const Value& value);
// Whether two one-hot codes name one index; false when either is none.
Bit Meet(const Bits& a, const Bits& b);
Bits And(Bit condition, const Bits& bits);
Bits Or(const Bits& a, const Bits& b);
Bits And(const Bits& a, const Bits& b);
Bits Ite(Bit condition, const Bits& then, const Bits& otherwise);
// target = value where the condition holds.
void Assign(Bit condition, Bit& target, Bit value);
void Assign(Bit condition, Bits& target, const Bits& value);
// The lowest index whose bit is set.
Bits Lowest(const Bits& bits);

// A total order of n things, each pair decided by the last Append().
class Order {
 public:
  // Things of different classes are never in one set that is asked about, so that their order is
  // not kept. Empty: all are in one class.
  using Classes = std::vector<int>;
  explicit Order(int size, Classes classes = {})
      : before_(static_cast<size_t>(size) * static_cast<size_t>(size), Bit(false)),
        size_(size),
        classes_(std::move(classes)) {}
  // In the order of their numbers.
  static Order ByNumber(int size);
  [[nodiscard]] Bit Before(int a, int b) const;
  // Where the condition holds, the thing becomes the last.
  void Append(Bit condition, int thing);
  // The first (or last) of a set.
  [[nodiscard]] Bits First(const Bits& set) const { return End(set, true); }
  [[nodiscard]] Bits Last(const Bits& set) const { return End(set, false); }
  // Facts: no three things are in a circle.
  [[nodiscard]] std::vector<Bit> Transitive() const;
  [[nodiscard]] const std::vector<Bit>& bits() const { return before_; }

 private:
  [[nodiscard]] bool Kept(int a, int b) const {
    return classes_.empty() || classes_[a] == classes_[b];
  }
  [[nodiscard]] Bits End(const Bits& set, bool first) const;

  // Precondition: a < b.
  [[nodiscard]] size_t Place(int a, int b) const {
    return static_cast<size_t>(a) * static_cast<size_t>(size_) + static_cast<size_t>(b);
  }

  std::vector<Bit> before_;  // only a < b are kept: whether a is before b
  int size_;
  Classes classes_;
};

}  // namespace iommucheck::smt

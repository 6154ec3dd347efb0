// SPDX-License-Identifier: Apache-2.0
#include "src/smt/bits.h"

#include <algorithm>
#include <new>
#include <utility>

#include "src/tool/stop.h"

namespace iommucheck::smt {
namespace {

using Kind = Circuit::Gate::Kind;

// A gate takes some 100 bytes here and in the solver. A larger circuit would have the machine run out of
// memory, which ends the process and not the search.
constexpr uint32_t kMaxGates = 1U << 26U;
constexpr uint32_t kGatesBetweenLooks = 1U << 16U;

struct TooLarge : std::bad_alloc {
  [[nodiscard]] const char* what() const noexcept override {
    return "out of memory: more than 67 million gates";
  }
};

}  // namespace

Bit operator&(Bit a, Bit b) {
  if (a.is_false() || b.is_false()) return false;
  if (a.is_true()) return b;
  if (b.is_true()) return a;
  return a.circuit_->And(a.literal_, b.literal_);
}

Bit Ite(Bit condition, Bit then, Bit otherwise) {
  if (condition.is_true()) return then;
  if (condition.is_false()) return otherwise;
  if (then == otherwise) return then;
  if (then.is_constant() || then.node() == condition.node()) {
    const bool value = then.is_constant() ? then.is_true() : then == condition;
    return value ? (condition | otherwise) : (~condition & otherwise);
  }
  if (otherwise.is_constant() || otherwise.node() == condition.node()) {
    const bool value = otherwise.is_constant() ? otherwise.is_true() : otherwise != condition;
    return value ? (~condition | then) : (condition & then);
  }
  return condition.circuit()->Mux(condition.literal(), then.literal(), otherwise.literal());
}

// Throws tool::Interrupted, std::bad_alloc.
Bit Circuit::Add(const Gate& gate, bool shared) {
  const auto index = static_cast<uint32_t>(gates_.size());
  if (shared) {
    const auto [it, fresh] = unique_.try_emplace(gate, index);
    if (!fresh) return {this, it->second << 1U};
  }
  if (index % kGatesBetweenLooks == 0) {
    tool::ThrowIfStopped();
    if (index >= kMaxGates) throw TooLarge();
  }
  gates_.push_back(gate);
  return {this, index << 1U};
}

Bit Circuit::And(uint32_t a, uint32_t b) {
  if (a == b) return {this, a};
  if (a == (b ^ 1U)) return false;
  if (a > b) std::swap(a, b);
  // The other way round is the operand under an AND: absorbed, contradicted or shortened.
  for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
    const Gate gate = gates_[y >> 1U];  // a copy: And() below may grow the vector
    if (gate.kind != Kind::kAnd) continue;
    const bool negated = (y & 1U) != 0;
    if (gate.a == x || gate.b == x) {
      if (!negated) return {this, y};
      return And(x, (gate.a == x ? gate.b : gate.a) ^ 1U);
    }
    if (gate.a == (x ^ 1U) || gate.b == (x ^ 1U)) {
      if (!negated) return false;
      return {this, x};
    }
  }
  return Add({.kind = Kind::kAnd, .a = a, .b = b}, true);
}

Bit Circuit::Mux(uint32_t condition, uint32_t then, uint32_t otherwise) {
  if ((condition & 1U) != 0) {
    condition ^= 1U;
    std::swap(then, otherwise);
  }
  // A branch that is a multiplexer of the same condition is the branch that one takes.
  const auto taken = [&](uint32_t branch, bool value) {
    const Gate& gate = gates_[branch >> 1U];
    if (gate.kind != Kind::kIte || gate.a != condition) return branch;
    return (value ? gate.b : gate.c) ^ (branch & 1U);
  };
  const uint32_t if_true = taken(then, true);
  const uint32_t if_false = taken(otherwise, false);
  if (if_true != then || if_false != otherwise)
    return Ite(Bit(this, condition), Bit(this, if_true), Bit(this, if_false));
  const uint32_t flip = otherwise & 1U;
  const Bit mux =
      Add({.kind = Kind::kIte, .a = condition, .b = then ^ flip, .c = otherwise ^ flip}, true);
  return flip != 0 ? ~mux : mux;
}

std::vector<bool> Circuit::ConeOf(const std::vector<Bit>& bits) const {
  std::vector<bool> cone(gates_.size());
  for (Bit bit : bits) cone[bit.node()] = true;
  for (size_t node = cone.size(); node-- > 1;) {
    const Gate& gate = gates_[node];
    if (!cone[node] || gate.kind == Kind::kInput) continue;
    for (uint32_t operand : {gate.a, gate.b, gate.c}) cone[operand >> 1U] = true;
  }
  return cone;
}

Bit Any(const Bits& bits) {
  Bit any = false;
  for (const Bit& bit : bits) any |= bit;
  return any;
}

Bits Zeros(int size) {
  Bits zeros;
  zeros.resize(static_cast<size_t>(size), Bit(false));
  return zeros;
}

Bits OneHot(int size, int index) {
  Bits bits = Zeros(size);
  if (index >= 0 && index < size) bits[static_cast<size_t>(index)] = true;
  return bits;
}

int IndexOf(const Bits& code, const Value& value) {
  const auto it = std::ranges::find_if(code, value);
  return it == code.end() ? -1 : static_cast<int>(it - code.begin());
}

Bit Meet(const Bits& a, const Bits& b) {
  Bit meet = false;
  for (size_t i = 0; i < a.size(); ++i) meet |= a[i] & b[i];
  return meet;
}

Bits And(Bit condition, const Bits& bits) {
  Bits result = bits;
  for (Bit& bit : result) bit &= condition;
  return result;
}

Bits Or(const Bits& a, const Bits& b) {
  Bits result = a;
  for (size_t i = 0; i < a.size(); ++i) result[i] |= b[i];
  return result;
}

Bits And(const Bits& a, const Bits& b) {
  Bits result = a;
  for (size_t i = 0; i < a.size(); ++i) result[i] &= b[i];
  return result;
}

Bits Ite(Bit condition, const Bits& then, const Bits& otherwise) {
  Bits result = otherwise;
  Assign(condition, result, then);
  return result;
}

void Assign(Bit condition, Bit& target, Bit value) { target = Ite(condition, value, target); }

void Assign(Bit condition, Bits& target, const Bits& value) {
  if (condition.is_false()) return;
  for (size_t i = 0; i < target.size(); ++i) Assign(condition, target[i], value[i]);
}

Bits Lowest(const Bits& bits) {
  Bits result = bits;
  Bit none_lower = true;
  for (Bit& bit : result) {
    const Bit here = bit;
    bit &= none_lower;
    none_lower &= ~here;
  }
  return result;
}

Bit Order::Before(int a, int b) const {
  return a < b ? before_[Place(a, b)] : ~before_[Place(b, a)];
}

Order Order::ByNumber(int size) {
  Order order(size);
  order.before_.assign(order.before_.size(), true);
  return order;
}

void Order::Append(Bit condition, int thing) {
  for (int other = 0; other < size_; ++other) {
    if (!Kept(thing, other)) continue;
    if (other < thing) Assign(condition, before_[Place(other, thing)], true);
    if (other > thing) Assign(condition, before_[Place(thing, other)], false);
  }
}

Bits Order::End(const Bits& set, bool first) const {
  Bits end = set;
  for (int i = 0; i < size_; ++i)
    for (int j = 0; j < size_ && !set[i].is_false(); ++j)
      if (i != j) end[i] &= ~(set[j] & (first ? Before(j, i) : Before(i, j)));
  return end;
}

std::vector<Bit> Order::Transitive() const {
  std::vector<Bit> facts;
  for (int a = 0; a < size_; ++a)
    for (int b = a + 1; b < size_; ++b)
      for (int c = b + 1; c < size_; ++c)
        for (bool forth : {true, false}) {
          if (!Kept(a, b) || !Kept(b, c)) continue;
          const auto before = [&](int x, int y) { return forth ? Before(x, y) : Before(y, x); };
          facts.push_back(~(before(a, b) & before(b, c) & before(c, a)));
        }
  return facts;
}

}  // namespace iommucheck::smt

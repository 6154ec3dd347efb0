// SPDX-License-Identifier: Apache-2.0
//
// Turns statements into a case. Functions that read return false, or nothing, once status_ holds an
// error.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/attributes.h"
#include "src/case/source.h"

namespace iommucheck {

class Parser {
 public:
  explicit Parser(const Source& source) : source_(source) {}
  absl::StatusOr<Case> Run();

 private:
  using Candidates = std::span<const std::string>;
  enum class Section {
    kKernel,
    kFirmware,
    kSettings,
    kTable,
    kDriver,
    kInstance,
    kDevice,
    kOp,
    kExpect
  };
  // A name that may refer to a later entry, and is looked up once all are known.
  struct Link {
    Word name;
    uint8_t owner;
  };

  // parse.cc: words of the current statement.
  bool Fail(const Word& word, std::string_view expected, Candidates close_to = {});
  bool FailAt(const Place& place, std::string_view expected, std::string_view found);
  [[nodiscard]] bool More() const { return next_ < statement_->words.size(); }
  [[nodiscard]] const Word& Peek() const { return statement_->words[next_]; }
  std::optional<Word> Take(std::string_view expected);
  bool TakeKeyword(std::string_view keyword);
  bool TakeEnd();
  std::optional<Word> TakeNewName(std::string_view kind, const std::vector<std::string>& names,
                                  int capacity);
  std::optional<uint8_t> TakeReference(std::string_view kind,
                                       const std::vector<std::string>& names);
  std::optional<int> TakeNumber(std::string_view kind, int low, int high);
  std::optional<uint8_t> Reference(const Word& word, std::string_view kind,
                                   const std::vector<std::string>& names);
  std::optional<int> Number(const Word& word, std::string_view kind, int low, int high);
  // Sets `out` if the word is a number from `low` to `high`.
  bool ReadByte(const Word& word, std::string_view kind, int low, int high, uint8_t& out);
  // Reads two numbers of pages with a sign between them.
  bool ReadPages(const Word& word, char sign, int most, uint8_t& first, uint8_t& second);
  bool ReadErrno(const Word& word, uint8_t& error);

  // parse.cc: sections.
  bool ReadStatement();
  bool EnterSection(const Word& head);
  bool ReadSection(Section section, const Word& head);
  [[nodiscard]] std::string ExpectedStatements() const;

  // parse_machine.cc
  bool ReadKernel();
  bool ReadRule(bool add);
  // Reads one of the names, but not the first.
  bool ReadName(const Word& word, std::string_view kind, std::span<const std::string_view> names,
                uint8_t& value);
  bool ReadFirmware();
  bool ReadRange(const Word& word, uint8_t& first, uint8_t& last);
  static std::vector<std::string> AttributeKeys(Owner owner, Bus bus);
  // Reads attributes to the end of the line.
  bool ReadAttributes(std::string_view of, Owner owner, Bus bus);
  bool ReadAttribute(const AttributeInfo& attribute, const Word& key, const Word& value);
  bool SetFlag(const AttributeInfo& attribute, const Word& key, uint8_t& member);
  bool ReadSettings();
  bool ReadTable();
  bool ReadDriver();
  bool ReadClaims(const Word& list, Driver& driver);
  bool ReadClaim(const Word& item, Driver& driver);
  bool AddTable(const Word& owner, std::string name);
  bool ReadInstance();
  bool ReadPageSizes(const Word& list, uint8_t& sizes);
  bool ReadDevice();
  bool ReadRegion(const Word& word, Device& device);
  bool ReadMasters(Device& device);
  bool LinkAddresses();
  bool LinkAliases();
  bool CheckMachine(const Place& place);

  // parse_run.cc
  bool ReadOp(OpKind kind);
  bool ReadOperands(Op& op);
  bool ReadOperand(Operand operand, uint8_t& out);
  std::optional<uint8_t> TakeContainer();
  bool ReadOutcome(CaseOp& op);
  bool ReadFlag(const Word& word, Op& op);
  bool ReadFault(const Word& text, Fault& fault);
  bool ReadCount(Word& text, uint8_t& out);
  bool ReadTarget(const FaultInfo& info, const Word& word, uint8_t& out);
  bool ReadExpectation();
  bool ReadExpectedDevice(Expectation& e);
  bool ReadExpectedGroup(Expectation& e);
  bool TakeProperty(Expectation& e);
  bool TakeAssumption(Expectation& e);
  bool TakeDriverOrNone(Expectation& e);

  const Source& source_;
  Case case_;
  absl::Status status_;
  const Statement* statement_ = nullptr;
  size_t next_ = 0;
  std::optional<Section> section_;  // section of the last statement
  std::vector<Link> addresses_;
  std::vector<Link> aliases_;
};

}  // namespace iommucheck

// SPDX-License-Identifier: Apache-2.0
//
// Turns statements into a case. Functions that read return false, or nothing, once status_ holds an
// error.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/attributes.h"
#include "src/case/source.h"
#include "src/case/spelling.h"

namespace iommucheck {

class Parser {
 public:
  explicit Parser(const Source& source) : source_(source) {}
  absl::StatusOr<Case> Run();

 private:
  using Candidates = std::span<const std::string>;
  // A case has its sections in the order of kSections.
  struct Section {
    std::string_view keyword;  // empty: the word of an op
    bool (Parser::*read)();
    bool repeats;
  };
  static const std::array<Section, 9> kSections;
  // A name that may refer to a later entry, and is looked up once all are known.
  struct Link {
    Word name;
    uint8_t owner;
    uint8_t at;  // offset of the member that gets the index
  };

  // parse.cc: words of the current statement.
  bool Fail(const Word& word, std::string_view expected, Candidates close_to = {});
  bool FailAt(const Place& place, std::string_view expected, std::string_view found);
  [[nodiscard]] bool More() const { return next_ < statement_->words.size(); }
  [[nodiscard]] const Word& Peek() const { return statement_->words[next_]; }
  const Word& Next() { return statement_->words[next_++]; }  // precondition: More()
  std::optional<Word> Take(std::string_view expected);
  bool TakeKeyword(std::string_view keyword);
  bool TakeEnd();
  std::optional<Word> TakeNewName(std::string_view kind, Candidates names, int capacity);
  // The word is one of the names; `index` says which.
  bool ReadOneOf(const Word& word, std::string_view expected, Candidates names, uint8_t& index);
  bool TakeOneOf(std::string_view expected, Candidates names, uint8_t& index);
  bool ReadReference(const Word& word, std::string_view kind, Candidates names, uint8_t& index);
  bool TakeReference(std::string_view kind, Candidates names, uint8_t& index);
  // The word is a number from `low` to `high`.
  bool ReadNumber(const Word& word, std::string_view kind, int low, int high, int& number);
  bool TakeNumber(std::string_view kind, int low, int high, int& number);
  bool ReadByte(const Word& word, std::string_view kind, int low, int high, uint8_t& number);
  bool TakeByte(std::string_view kind, int low, int high, uint8_t& number);
  // Reads two numbers of pages with a sign between them.
  bool ReadPages(const Word& word, char sign, int most, uint8_t& first, uint8_t& second);
  bool ReadErrno(const Word& word, uint8_t& error);

  // parse.cc: sections.
  bool ReadStatement();
  bool EnterSection(const Word& head);
  [[nodiscard]] std::string ExpectedStatements() const;

  // parse_machine.cc
  bool ReadKernel();
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
  bool ReadClaim(const Word& item, Driver& driver, Bus& bus);
  bool AddTable(const Word& owner, std::string name);
  bool ReadInstance();
  bool ReadPageSizes(const Word& list, uint8_t& sizes);
  bool ReadDevice();
  bool ReadRegion(const Word& word, Device& device);
  bool ReadMasters(Device& device);
  bool LinkAddresses();
  bool LinkDevices();
  bool CheckMachine(const Place& place);

  // parse_run.cc
  bool ReadOp();
  bool ReadOperands(Op& op);
  bool ReadOperand(Operand operand, uint8_t& out);
  bool TakeContainer(uint8_t& out);
  bool ReadOutcome(CaseOp& op);
  bool ReadFlag(const Word& word, Op& op);
  bool ReadFault(const Word& text, Fault& fault);
  bool ReadCount(Word& text, uint8_t& out);
  bool ReadTarget(const FaultInfo& info, const Word& word, uint8_t& out);
  bool ReadExpectation();
  bool ReadAbout(ExpectationInfo::About about, Expectation& e);
  bool ReadObject(ExpectationInfo::Object object, Expectation& e);

  const Source& source_;
  Case case_;
  absl::Status status_;
  const Statement* statement_ = nullptr;
  size_t next_ = 0;
  const Section* section_ = nullptr;  // of the last statement
  std::vector<Link> addresses_;
  std::vector<Link> devices_;  // by the name of another device
};

}  // namespace iommucheck

// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>
#include <memory>

#include "src/cli/commands.h"
#include "src/report/certificate_text.h"

namespace iommucheck::cli {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 32U;

void CheckCertificate(const std::string& folder, bool json, Session& session) {
  // A device would be read up to the limit.
  const auto read = [](const std::string& path) -> absl::StatusOr<std::string> {
    std::error_code error;
    if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error))
      return absl::InvalidArgumentError(path + ": expected a file, found none");
    return ReadFile(path, kMaxFileBytes);
  };
  const absl::StatusOr<certificate::Checked> checked = certificate::CheckCertificate(folder, read);
  if (!checked.ok()) return session.Fail(checked.status());
  std::cout << (json ? report::CheckedJson(*checked) : report::CheckedText(*checked));
  session.exit = checked->failure.empty() ? kOk : kViolated;
}

}  // namespace

void AddCheckCertificate(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand(
      "check-certificate", "Whether a certificate of query shows what it claims, without a solver");
  auto folder = std::make_shared<std::string>();
  command->footer("Example: iommucheck check-certificate DIR, after query .. --certificate DIR");
  command->add_option("DIR", *folder, "what query --certificate has written")->required();
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "one JSON object");
  command->callback([folder, json, &session] { CheckCertificate(*folder, *json, session); });
}

}  // namespace iommucheck::cli

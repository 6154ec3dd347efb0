// SPDX-License-Identifier: Apache-2.0
#include "src/report/certificate.h"

#include <iostream>
#include <memory>

#include "src/cli/commands.h"

namespace iommucheck::cli {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 32U;

void CheckCertificate(const std::string& folder, bool json, Session& session) {
  const absl::StatusOr<certificate::Checked> checked = certificate::CheckCertificate(
      folder, [](const std::string& path) { return ReadFile(path, kMaxFileBytes); });
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

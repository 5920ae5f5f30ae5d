#include <algorithm>
#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "tools/skiff/doctor_report.h"

namespace skiff::tools {

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kWarning:
      return "warn";
    case Verdict::kMissing:
      break;
  }
  return "MISSING";
}

bool IsUsable(const std::vector<Finding>& findings) {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& f) { return f.verdict == Verdict::kMissing; });
}

std::string EncodeFindings(const std::vector<Finding>& findings) {
  nlohmann::json checks = nlohmann::json::array();
  for (const Finding& finding : findings) {
    checks.push_back({{"name", finding.name},
                      {"verdict", VerdictName(finding.verdict)},
                      {"text", finding.text}});
  }
  return EncodeJson({{"usable", IsUsable(findings)}, {"checks", checks}}, 2);
}

}  // namespace skiff::tools

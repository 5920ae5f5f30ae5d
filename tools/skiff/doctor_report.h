// What `skiff doctor` found, as a table for people or as JSON. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skiff::tools {

enum class Verdict { kOk, kWarning, kMissing };

struct Finding {
  std::string name;
  Verdict verdict = Verdict::kOk;
  std::string text;  // what is there, or what is wrong and what to do about it
};

std::string_view VerdictName(Verdict verdict);        // "ok", "warn", "MISSING"
bool IsUsable(const std::vector<Finding>& findings);  // nothing is missing
std::string EncodeFindings(const std::vector<Finding>& findings);

}  // namespace skiff::tools

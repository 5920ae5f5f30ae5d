// skiff doctor
#include "tools/skiff/commands.h"
#include "tools/skiff/doctor_checks.h"
#include "tools/skiff/exit_status.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {

Result<int> Carry(const Doctor& options, const runtime::Roots& roots) {
  std::vector<Finding> findings = CheckHost(roots);
  if (options.is_json) {
    Print(EncodeFindings(findings) + "\n");
  } else {
    std::vector<std::vector<std::string>> rows;
    for (const Finding& finding : findings) {
      rows.push_back({std::string(VerdictName(finding.verdict)), finding.name, finding.text});
    }
    Print(FormatTable(rows));
  }
  return IsUsable(findings) ? kExitOk : kExitUnavailable;
}

}  // namespace skiff::tools

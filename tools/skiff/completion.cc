#include "tools/skiff/completion.h"

#include <algorithm>

namespace skiff::tools {
namespace {

constexpr const char* kTaskIds = "$(skiff ps --all --quiet 2>/dev/null)";

constexpr const char* kBashHead = R"(_skiff() {
  local cur=${COMP_WORDS[COMP_CWORD]} path= word words=
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      -*) ;;
      *) path="${path:+$path }$word"
         case $path in image) ;; *) break ;; esac ;;
    esac
  done
  case $path in
)";
constexpr const char* kBashTail = R"(  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _skiff skiff
)";

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string Bash(const std::vector<CompletedCommand>& commands) {
  std::string script = kBashHead;
  for (const CompletedCommand& command : commands) {
    std::string words = Join(command.words);
    if (!words.empty() && !command.flags.empty()) words += ' ';
    words += Join(command.flags);
    if (command.takes_tasks) words += std::string(" ") + kTaskIds;
    script += "    '" + command.path + "') words=\"" + words + "\" ;;\n";
  }
  return script + kBashTail;
}

// 'it''s' in fish: a quote and a backslash are escaped.
std::string FishQuoted(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string FishCondition(const CompletedCommand& command) {
  if (command.path.empty()) return "__fish_use_subcommand";
  std::string condition;
  std::string_view rest = command.path;
  while (!rest.empty()) {
    size_t space = std::min(rest.find(' '), rest.size());
    if (!condition.empty()) condition += "; and ";
    condition += "__fish_seen_subcommand_from " + std::string(rest.substr(0, space));
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return condition;
}

std::string Fish(const std::vector<CompletedCommand>& commands) {
  std::string script;
  for (const CompletedCommand& command : commands) {
    std::string head = "complete -c skiff -n " + FishQuoted(FishCondition(command));
    for (const std::string& word : command.words) {
      std::string path = command.path.empty() ? word : command.path + " " + word;
      auto named = std::find_if(commands.begin(), commands.end(),
                                [&](const CompletedCommand& c) { return c.path == path; });
      std::string help = named == commands.end() ? "" : " -d " + FishQuoted(named->help);
      script += head + " -f -a " + FishQuoted(word) + help + "\n";
    }
    for (const std::string& flag : command.flags) script += head + " -l " + flag.substr(2) + "\n";
    if (command.takes_tasks) script += head + " -f -a '(skiff ps --all --quiet 2>/dev/null)'\n";
  }
  return script;
}

}  // namespace

Result<std::string> CompletionScript(std::string_view shell,
                                     const std::vector<CompletedCommand>& commands) {
  if (shell == "bash") return Bash(commands);
  // zsh takes bash's once it has been told so.
  if (shell == "zsh") return "autoload -U +X bashcompinit && bashcompinit\n" + Bash(commands);
  if (shell == "fish") return Fish(commands);
  return Error(Code::kInvalid, "expected bash, zsh or fish, got '" + std::string(shell) + "'");
}

}  // namespace skiff::tools

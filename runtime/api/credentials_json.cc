#include <algorithm>
#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "runtime/api/credentials.h"
#include "runtime/api/limits.h"

namespace skiff::runtime::api {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Result<> RefuseUnknown(const JsonCursor& at, std::initializer_list<std::string_view> known) {
  std::vector<std::string> unknown = at.UnknownMembers(known);
  if (unknown.empty()) return {};
  return Error(Code::kInvalid, unknown.front() + ": unknown member");
}

// A text, or a list of texts.
Result<std::vector<std::string>> OneOrMore(const JsonCursor& at, std::string_view name) {
  JsonCursor member = TRY(at.Get(name));
  if (!member.IsString()) return member.Strings();
  std::string text = TRY(member.String());
  return std::vector<std::string>{std::move(text)};
}

Result<Statement> ReadStatement(const JsonCursor& at) {
  TRY(RefuseUnknown(at, {"Sid", "Effect", "Action", "Resource"}));
  Statement statement;
  JsonCursor effect = TRY(at.Get("Effect"));
  std::string word = TRY(effect.String());
  if (word != "Allow" && word != "Deny") return effect.Invalid("expected Allow or Deny");
  statement.is_allow = word == "Allow";
  statement.actions = TRY(OneOrMore(at, "Action"));
  statement.resources = TRY(OneOrMore(at, "Resource"));
  return statement;
}

Result<std::string> NotEmpty(const JsonCursor& at, std::string_view name) {
  JsonCursor member = TRY(at.Get(name));
  std::string text = TRY(member.String());
  if (text.empty()) return member.Invalid("must not be empty");
  return text;
}

Result<AccessKey> ReadKey(const JsonCursor& at) {
  TRY(RefuseUnknown(at, {"accessKeyId", "secretAccessKey", "arn", "statements"}));
  AccessKey key;
  key.id = TRY(NotEmpty(at, "accessKeyId"));
  key.secret = TRY(NotEmpty(at, "secretAccessKey"));
  key.arn = TRY(NotEmpty(at, "arn"));
  std::vector<JsonCursor> statements = TRY(at.FindElements("statements"));
  if (statements.size() > kMaxStatements) return at.Invalid("too many statements");
  for (const JsonCursor& statement : statements) {
    Statement read = TRY(ReadStatement(statement));
    key.statements.push_back(std::move(read));
  }
  return key;
}

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view text, bool ignore_case) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return MatchesWildcard(pattern, text, ignore_case);
  });
}

bool IsResourceAllowed(const std::vector<Statement>& statements, std::string_view action,
                       std::string_view resource) {
  bool is_allowed = false;
  for (const Statement& statement : statements) {
    if (!MatchesAny(statement.actions, action, true)) continue;
    if (!MatchesAny(statement.resources, resource, false)) continue;
    if (!statement.is_allow) return false;
    is_allowed = true;
  }
  return is_allowed;
}

}  // namespace

Result<KeySet> KeySet::Decode(std::string_view json, std::string_view what) {
  JsonDocument document = TRY(JsonDocument::Parse(json, what));
  JsonCursor root = document.root();
  TRY(RefuseUnknown(root, {"keys"}));
  JsonCursor member = TRY(root.Get("keys"));
  std::vector<JsonCursor> elements = TRY(member.Elements());
  if (elements.size() > kMaxKeys) return member.Invalid("too many keys");
  KeySet keys;
  for (const JsonCursor& element : elements) {
    AccessKey key = TRY(ReadKey(element));
    if (keys.Find(key.id) != nullptr) return element.Invalid("accessKeyId is there twice");
    keys.keys_.push_back(std::move(key));
  }
  return keys;
}

const AccessKey* KeySet::Find(std::string_view access_key) const {
  auto found = std::find_if(keys_.begin(), keys_.end(),
                            [&](const AccessKey& key) { return key.id == access_key; });
  return found == keys_.end() ? nullptr : &*found;
}

bool IsAllowed(const std::vector<Statement>& statements, std::string_view action,
               const std::vector<std::string>& resources) {
  return std::all_of(resources.begin(), resources.end(), [&](const std::string& resource) {
    return IsResourceAllowed(statements, action, resource);
  });
}

// Remembers the last star only: what it may swallow grows until the rest fits. Linear in practice,
// never worse than the product of both lengths.
bool MatchesWildcard(std::string_view pattern, std::string_view text, bool ignore_case) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t swallowed = 0;
  auto is_same = [&](char a, char b) { return ignore_case ? Lower(a) == Lower(b) : a == b; };
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      swallowed = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || is_same(pattern[p], text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++swallowed;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace skiff::runtime::api

// Who may call, and what: the access keys of the key file and their IAM-style statements. Pure; any
// thread.
//
//   {"keys": [{"accessKeyId": "AKIA...", "secretAccessKey": "...",
//              "arn": "arn:aws:iam::123456789012:user/dev",
//              "statements": [{"Effect": "Allow", "Action": ["ecs:*"], "Resource": ["*"]}]}]}
//
// Action and Resource are a text or a list of them, with * and ?. A Deny that matches wins; without
// an Allow that matches a call is refused. A key without statements may do nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::runtime::api {

struct Statement {
  bool is_allow = true;
  std::vector<std::string> actions;    // "ecs:Describe*"
  std::vector<std::string> resources;  // ARNs
};

struct AccessKey {
  std::string id;
  std::string secret;
  std::string arn;
  std::vector<Statement> statements;
};

class KeySet {
 public:
  // `what` names the text in errors. Unknown members are refused: a mistyped one could be a Deny.
  static Result<KeySet> Decode(std::string_view json, std::string_view what);

  const AccessKey* Find(std::string_view access_key) const;  // nullptr: unknown
  size_t size() const { return keys_.size(); }

 private:
  std::vector<AccessKey> keys_;
};

// Every one of `resources` must be allowed. `action`: "ecs:RunTask".
bool IsAllowed(const std::vector<Statement>& statements, std::string_view action,
               const std::vector<std::string>& resources);

// * is any text, ? any character. Case matters only where told.
bool MatchesWildcard(std::string_view pattern, std::string_view text, bool ignore_case);

}  // namespace skiff::runtime::api

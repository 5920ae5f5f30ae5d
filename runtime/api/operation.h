// What the router and the services agree on: one Operation of an AWS service, called with a JSON
// body and answering with one.
//
// A service (ecs, logs, sts.h) fills an OperationTable; the router finds the entry by name,
// has the caller authorized against the entry's resources, runs it, and turns an Error into AWS's
// (errors.h: by Error::kind, else by its code). One thread: the server's.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/json.h"
#include "isolation/base/result.h"

namespace skiff::runtime::api {

// Who calls, as the request's signature proved.
struct Caller {
  std::string access_key;  // "" in anonymous mode
  std::string arn;         // "arn:aws:iam::123456789012:user/dev"
  std::string user_id;
};

struct Call {
  std::string operation;  // "RunTask"
  JsonCursor input;       // an object; its path is "" so that errors name bare members
  Caller caller;
  std::string request_id;
};

struct Operation {
  // The JSON text of the answer; "" for operations without output.
  std::function<Result<std::string>(const Call&)> run;
  // The ARNs the call touches, for resource statements. Null or empty: "*".
  std::function<std::vector<std::string>(const Call&)> resources = nullptr;
};

struct OperationTable {
  std::string service;        // as in policies and credential scopes: "ecs"
  std::string target_prefix;  // "AmazonEC2ContainerServiceV20141113"; "" for query services
  // Query services only: the answer's namespace. Their input is an object of the form's fields, all
  // strings; their answer is the XML inside <OperationResult>.
  std::string xml_namespace;
  std::map<std::string, Operation, std::less<>> operations;
  // Operations that AWS has and this version does not: they answer with a refusal that says so.
  std::vector<std::string_view> not_offered;
};

}  // namespace skiff::runtime::api

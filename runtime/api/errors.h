// How an Error becomes AWS's: one table of exception names and HTTP statuses. An Error with a kind
// (Error::WithKind) has that name; the others get one by their code. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::runtime::api {

struct WireError {
  std::string type;  // "ClusterNotFoundException"
  int status = 400;
  std::string message;
  std::vector<std::string> resource_ids;  // a ConflictException's
};

// A kind that the table does not have is an internal error: our mistake.
WireError WireErrorOf(const Error& error);

// {"__type":...,"message":...}, and "resourceIds" where there are some
std::string EncodeJsonError(const WireError& error);
// <ErrorResponse>, as the query protocol has it.
std::string EncodeXmlError(const WireError& error, const std::string& request_id);

std::string EscapeXml(std::string_view text);

}  // namespace skiff::runtime::api

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "isolation/base/text.h"
#include "runtime/api/errors.h"

namespace skiff::runtime::api {
namespace {

struct Row {
  const char* type;
  int status;
};

constexpr Row kTypes[] = {
    // Of every service.
    {"AccessDeniedException", 400},
    {"IncompleteSignatureException", 400},
    {"InternalFailure", 500},
    {"InvalidSignatureException", 400},
    {"MissingAuthenticationTokenException", 400},
    {"RequestEntityTooLargeException", 413},
    {"SerializationException", 400},
    {"ServiceUnavailableException", 503},
    {"ThrottlingException", 400},
    {"UnknownOperationException", 400},
    {"UnrecognizedClientException", 400},
    // ECS.
    {"AttributeLimitExceededException", 400},
    {"BlockedException", 400},
    {"ClientException", 400},
    {"ClusterContainsContainerInstancesException", 400},
    {"ClusterContainsServicesException", 400},
    {"ClusterContainsTasksException", 400},
    {"ClusterNotFoundException", 400},
    {"ConflictException", 400},
    {"InvalidParameterException", 400},
    {"LimitExceededException", 400},
    {"MissingVersionException", 400},
    {"NoUpdateAvailableException", 400},
    {"PlatformTaskDefinitionIncompatibilityException", 400},
    {"PlatformUnknownException", 400},
    {"ResourceInUseException", 400},
    {"ResourceNotFoundException", 400},
    {"ServerException", 500},
    {"ServiceNotActiveException", 400},
    {"ServiceNotFoundException", 400},
    {"TargetNotConnectedException", 400},
    {"TargetNotFoundException", 400},
    {"UnsupportedFeatureException", 400},
    {"UpdateInProgressException", 400},
    // CloudWatch Logs.
    {"DataAlreadyAcceptedException", 400},
    {"InvalidOperationException", 400},
    {"InvalidSequenceTokenException", 400},
    {"MalformedQueryException", 400},
    {"OperationAbortedException", 400},
    {"ResourceAlreadyExistsException", 400},
    {"TooManyTagsException", 400},
    {"ValidationException", 400},
};

const char* TypeOfCode(Code code) {
  switch (code) {
    case Code::kInvalid:
      return "InvalidParameterException";
    case Code::kNotFound:
      return "ResourceNotFoundException";
    case Code::kConflict:
      return "ResourceInUseException";
    case Code::kDenied:
      return "AccessDeniedException";
    case Code::kExhausted:
      return "LimitExceededException";
    case Code::kUnavailable:
    case Code::kTimeout:
    case Code::kInternal:
      break;
  }
  return "ServerException";
}

// An Error has no lists: the message ends with them, "... resourceIds: [ARN, ARN]".
std::vector<std::string> ResourceIdsIn(const Error& error) {
  constexpr std::string_view kLabel = "resourceIds: [";
  std::string_view text = error.message();
  size_t at = text.rfind(kLabel);
  bool is_conflict = std::string_view(error.kind()) == "ConflictException";
  if (!is_conflict || at == std::string_view::npos || !text.ends_with(']')) return {};
  text.remove_prefix(at + kLabel.size());
  text.remove_suffix(1);
  std::vector<std::string> ids;
  for (std::string_view id : Split(text, ',')) ids.emplace_back(TrimSpace(id));
  return ids;
}

}  // namespace

WireError WireErrorOf(const Error& error) {
  const char* type = *error.kind() != '\0' ? error.kind() : TypeOfCode(error.code());
  // What AWS's own front end answers before an operation sees the input.
  if (strcmp(type, kWrongJsonType) == 0) type = "SerializationException";
  const Row* row = std::find_if(std::begin(kTypes), std::end(kTypes),
                                [&](const Row& r) { return strcmp(r.type, type) == 0; });
  if (row == std::end(kTypes)) return {"InternalFailure", 500, error.message(), {}};
  return {row->type, row->status, error.message(), ResourceIdsIn(error)};
}

std::string EncodeJsonError(const WireError& error) {
  nlohmann::json answer = {{"__type", error.type}, {"message", error.message}};
  if (!error.resource_ids.empty()) answer["resourceIds"] = error.resource_ids;
  return EncodeJson(answer);
}

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // XML 1.0 cannot say control characters at all.
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
    }
  }
  return out;
}

std::string EncodeXmlError(const WireError& error, const std::string& request_id) {
  std::string who = error.status < 500 ? "Sender" : "Receiver";
  // The query services say the same names without the suffix.
  std::string code = error.type;
  if (code.ends_with("Exception")) code.resize(code.size() - strlen("Exception"));
  return "<ErrorResponse><Error><Type>" + who + "</Type><Code>" + EscapeXml(code) +
         "</Code><Message>" + EscapeXml(error.message) + "</Message></Error><RequestId>" +
         request_id + "</RequestId></ErrorResponse>";
}

}  // namespace skiff::runtime::api

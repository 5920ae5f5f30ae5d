#include <algorithm>
#include <nlohmann/json.hpp>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/base/text.h"
#include "networking/http/limits.h"
#include "runtime/api/errors.h"
#include "runtime/api/limits.h"
#include "runtime/api/router.h"
#include "runtime/api/uri.h"

namespace skiff::runtime::api {
namespace {

using networking::http::Peer;
using networking::http::Request;
using networking::http::Response;

constexpr const char* kJsonType = "application/x-amz-json-1.1";
constexpr const char* kFormType = "application/x-www-form-urlencoded";

// "6f1c...-....": the form of AWS's request ids.
std::string NewRequestId() {
  std::string hex = RandomHex(16);
  for (size_t place : {8, 13, 18, 23}) hex.insert(place, "-");
  return hex;
}

bool HasType(const Request& request, std::string_view type) {
  const std::string* given = request.Find("content-type");
  return given != nullptr && given->starts_with(type);
}

Response PlainText(int status, const std::string& text) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, text};
}

Error UnknownOperation(const std::string& operation) {
  std::string text = operation.empty() ? "the request names no operation"
                                       : "operation " + operation + " is not known";
  return Error(Code::kNotFound, text).WithKind("UnknownOperationException");
}

Error NotOffered(const std::string& operation) {
  return Error(Code::kUnavailable, "skiff does not offer " + operation + " in this version.")
      .WithKind("UnsupportedFeatureException");
}

Error Serialization(const std::string& text) {
  return Error(Code::kInvalid, text).WithKind("SerializationException");
}

// The host of "[::1]:8770", "localhost:8770", "127.0.0.1".
std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.rfind(':'));
}

bool IsLoopbackName(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  // All of 127.0.0.0/8, but not 127.evil.test.
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

Result<JsonDocument> ParseBody(const std::string& body) {
  // Clients send an empty body where there is nothing to say.
  std::string_view text = TrimSpace(body).empty() ? std::string_view("{}") : body;
  Result<JsonDocument> document =
      JsonDocument::Parse(text, "body", networking::http::kMaxBodyBytes);
  if (!document.ok()) return Serialization(document.error().message());
  if (!document.value().root().IsObject()) return Serialization("the body is not a JSON object");
  return document;
}

Result<JsonDocument> FormAsJson(const std::vector<std::pair<std::string, std::string>>& fields) {
  if (fields.size() > kMaxFormFields) return Serialization("the form has too many fields");
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, value] : fields) object[name] = value;
  return JsonDocument::Parse(EncodeJson(object), "form");
}

std::string XmlAnswer(const OperationTable& table, const std::string& operation,
                      const std::string& result, const std::string& request_id) {
  return "<" + operation + "Response xmlns=\"" + table.xml_namespace + "\"><" + operation +
         "Result>" + result + "</" + operation + "Result><ResponseMetadata><RequestId>" +
         request_id + "</RequestId></ResponseMetadata></" + operation + "Response>";
}

const OperationTable* FindByPrefix(const std::vector<OperationTable>& tables,
                                   std::string_view prefix) {
  auto found = std::find_if(tables.begin(), tables.end(), [&](const OperationTable& table) {
    return !table.target_prefix.empty() && table.target_prefix == prefix;
  });
  return found == tables.end() ? nullptr : &*found;
}

}  // namespace

Router::Router(RouterOptions options, std::vector<OperationTable> tables)
    : options_(std::move(options)), tables_(std::move(tables)) {
  if (!options_.now) options_.now = WallNanoseconds;
}

bool Router::IsOwnHost(std::string_view host) const {
  std::string_view name = WithoutPort(host);
  return IsLoopbackName(name) ||
         std::find(options_.hosts.begin(), options_.hosts.end(), name) != options_.hosts.end();
}

Result<> Router::CheckOrigin(const Request& request) const {
  if (request.Find("origin") != nullptr) {
    return Error(Code::kDenied, "requests of web pages (Origin) are refused");
  }
  if (request.peer.kind == Peer::Kind::kUnix) return {};
  const std::string* host = request.Find("host");
  if (host != nullptr && IsOwnHost(*host)) return {};
  return Error(Code::kDenied, "'" + (host == nullptr ? std::string() : *host) +
                                  "' is no name of this server (Host)");
}

Caller Router::RootCaller() const {
  return {"", "arn:aws:iam::" + options_.settings.account_id + ":root",
          options_.settings.account_id};
}

// The statements are checked later, when the operation is known.
Result<Caller> Router::Authenticate(const Request& request,
                                    std::optional<SignatureClaim>* claim) const {
  Result<SignatureClaim> parsed = ParseSignature(request);
  if (parsed.ok()) *claim = parsed.value();
  if (request.peer.kind == Peer::Kind::kUnix) return RootCaller();
  if (options_.is_anonymous) {
    if (request.peer.is_loopback) return RootCaller();
    return Error(Code::kDenied, "anonymous calls are for loopback only")
        .WithKind("AccessDeniedException");
  }
  if (!parsed.ok()) return std::move(parsed).error();
  const AccessKey* key = options_.keys.Find(parsed.value().access_key);
  if (key == nullptr) {
    return Error(Code::kDenied, "The security token included in the request is invalid.")
        .WithKind("UnrecognizedClientException");
  }
  TRY(VerifySignature(request, parsed.value(), key->secret, options_.now()));
  if (parsed.value().region != options_.settings.region) {
    return Error(Code::kDenied, "Credential should be scoped to a valid region: '" +
                                    options_.settings.region + "', not '" + parsed.value().region +
                                    "'.")
        .WithKind("InvalidSignatureException");
  }
  return Caller{key->id, key->arn, key->id};
}

Result<> Router::Authorize(const Caller& caller, std::string_view action,
                           const std::vector<std::string>& resources) const {
  if (caller.access_key.empty()) return {};
  std::vector<std::string> touched = resources;
  if (touched.empty()) touched.emplace_back("*");
  const AccessKey* key = options_.keys.Find(caller.access_key);
  if (key != nullptr && IsAllowed(key->statements, action, touched)) return {};
  return Error(Code::kDenied, "User: " + caller.arn + " is not authorized to perform: " +
                                  std::string(action) + " on resource: " + touched.front())
      .WithKind("AccessDeniedException");
}

Result<Router::Target> Router::FindQueryTarget(const Request& request,
                                               const std::optional<SignatureClaim>& claim) const {
  auto fields = ParseForm(request.method == "GET" ? request.Query() : request.body);
  std::string action;
  for (const auto& [name, value] : fields) {
    if (name == "Action") action = value;
  }
  for (const OperationTable& table : tables_) {
    if (table.xml_namespace.empty() || (claim && claim->service != table.service)) continue;
    bool is_there = table.operations.contains(action);
    auto other = std::find(table.not_offered.begin(), table.not_offered.end(), action);
    if (!is_there && other == table.not_offered.end()) continue;
    JsonDocument input = TRY(FormAsJson(fields));
    return Target{&table, action, std::move(input)};
  }
  return UnknownOperation(action);
}

Result<Router::Target> Router::FindTarget(const Request& request,
                                          const std::optional<SignatureClaim>& claim) const {
  const std::string* header = request.Find("x-amz-target");
  if (header == nullptr) return FindQueryTarget(request, claim);
  size_t dot = header->rfind('.');
  std::string operation = dot == std::string::npos ? *header : header->substr(dot + 1);
  const OperationTable* table =
      dot == std::string::npos ? nullptr : FindByPrefix(tables_, header->substr(0, dot));
  if (table == nullptr) return UnknownOperation(*header);
  if (claim && claim->service != table->service) {
    return Error(Code::kDenied,
                 "Credential should be scoped to correct service: '" + table->service + "'.")
        .WithKind("InvalidSignatureException");
  }
  JsonDocument input = TRY(ParseBody(request.body));
  return Target{table, operation, std::move(input)};
}

Result<std::string> Router::Run(const Target& target, const Caller& caller,
                                const std::string& request_id) const {
  const OperationTable& table = *target.table;
  auto found = table.operations.find(target.operation);
  if (found == table.operations.end()) {
    auto other = std::find(table.not_offered.begin(), table.not_offered.end(), target.operation);
    return other == table.not_offered.end() ? UnknownOperation(target.operation)
                                            : NotOffered(target.operation);
  }
  const Operation& operation = found->second;
  // Errors name members without a prefix: "cluster: expected string, got integer".
  Call call{target.operation, JsonCursor(&target.input.root().value(), ""), caller, request_id};
  std::vector<std::string> resources;
  if (operation.resources) resources = operation.resources(call);
  TRY(Authorize(caller, table.service + ":" + target.operation, resources));
  return operation.run(call);
}

Router::Answer Router::Carry(const Request& request, const std::string& request_id) const {
  bool is_query = request.Find("x-amz-target") == nullptr;
  std::optional<SignatureClaim> claim;
  Result<Caller> caller = Authenticate(request, &claim);
  if (!caller.ok()) return {std::move(caller).error(), nullptr, "", is_query};
  Result<Target> target = FindTarget(request, claim);
  if (!target.ok()) return {std::move(target).error(), nullptr, "", is_query};
  return {Run(target.value(), caller.value(), request_id), target.value().table,
          target.value().operation, is_query};
}

Response Router::HandleGet(const Request& request) const {
  if (request.Path() == "/healthz") return PlainText(200, "ok\n");
  if (request.Path() == "/metrics" && options_.metrics) {
    // Names of tasks are in it, and whoever collects it cannot sign.
    if (!request.peer.is_loopback) return PlainText(403, "metrics are for this host only\n");
    return {200, {{"Content-Type", "text/plain; version=0.0.4"}}, options_.metrics()};
  }
  return PlainText(404, "not found\n");
}

Response Router::HandleReset(const Request& request) const {
  std::optional<SignatureClaim> claim;
  Result<Caller> caller = Authenticate(request, &claim);
  if (!caller.ok()) return PlainText(403, caller.error().message() + "\n");
  Result<> allowed = Authorize(caller.value(), "skiff:Reset", {});
  if (!allowed.ok()) return PlainText(403, allowed.error().message() + "\n");
  if (!options_.allow_reset || !options_.reset) {
    return PlainText(403, "reset is off: start skiffd with --allow-reset\n");
  }
  Result<> done = options_.reset();
  if (done.ok()) return PlainText(200, "empty\n");
  bool is_busy = done.error().code() == Code::kConflict;
  return PlainText(is_busy ? 409 : 500, done.error().message() + "\n");
}

Response Router::Handle(const Request& request) const {
  Result<> origin = CheckOrigin(request);
  if (!origin.ok()) return PlainText(403, origin.error().message() + "\n");
  if (request.Path() == "/_skiff/reset" && request.method == "POST") return HandleReset(request);
  bool is_call = request.Path() == "/" && (request.method == "POST" ||
                                           (request.method == "GET" && !request.Query().empty()));
  if (!is_call && request.method == "GET") return HandleGet(request);
  if (!is_call) return PlainText(404, "not found\n");

  return HandleCall(request);
}

Response Router::HandleCall(const Request& request) const {
  int64_t begin = MonotonicNanoseconds();
  std::string request_id = NewRequestId();
  Answer answer = Carry(request, request_id);
  std::string operation;
  // Only names of operations: what a client makes up is not counted by name.
  if (answer.table != nullptr && answer.table->operations.contains(answer.operation)) {
    operation = answer.table->service + ":" + answer.operation;
  }
  bool is_xml = answer.is_query && (answer.table != nullptr || HasType(request, kFormType));
  Response response = Render(std::move(answer), is_xml, request_id);
  if (options_.observe) {
    double seconds = static_cast<double>(MonotonicNanoseconds() - begin) * 1e-9;
    options_.observe(operation, response.status, seconds);
  }
  return response;
}

Response Router::Render(Answer answer, bool is_xml, const std::string& request_id) const {
  Response response;
  response.headers.push_back({"x-amzn-RequestId", request_id});
  response.headers.push_back({"Content-Type", is_xml ? "text/xml" : kJsonType});
  if (answer.body.ok()) {
    response.body =
        is_xml ? XmlAnswer(*answer.table, answer.operation, answer.body.value(), request_id)
               : std::move(answer.body).value();
    return response;
  }
  WireError error = WireErrorOf(answer.body.error());
  if (error.status >= 500) Log(LogLevel::kError, "request " + request_id + ": " + error.message);
  response.status = error.status;
  response.body = is_xml ? EncodeXmlError(error, request_id) : EncodeJsonError(error);
  return response;
}

}  // namespace skiff::runtime::api

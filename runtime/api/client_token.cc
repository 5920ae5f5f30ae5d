#include "runtime/api/client_token.h"

#include "isolation/base/clock.h"
#include "runtime/api/limits.h"
#include "runtime/control/keys.h"
#include "runtime/model/json_text.h"

namespace skiff::runtime::api {
namespace {

constexpr int64_t kSchema = 1;
constexpr const char* kClientTokens = "client-tokens/";

bool IsExpired(const ClientToken& token, int64_t now) {
  return now - token.created_at > std::chrono::nanoseconds(kClientTokenLife).count();
}

}  // namespace

template <typename Io>
void Members(Io& io, ClientToken& v) {
  io.Required("fingerprint", v.fingerprint);
  io("tasks", v.tasks);
  io("createdAt", v.created_at);
}

std::string Encode(const ClientToken& token) {
  return "{\"schema\":" + std::to_string(kSchema) + "," + EncodeMembers(token).substr(1);
}

Result<ClientToken> DecodeClientToken(std::string_view value) {
  JsonDocument document = TRY(JsonDocument::Parse(value, "client token", kMaxClientTokenBytes));
  std::optional<int64_t> schema = TRY(document.root().FindInteger("schema"));
  if (schema != kSchema) return Error(Code::kInvalid, "client token: unknown schema");
  ClientToken token;
  TRY(DecodeMembers(document.root(), token).Context("client token"));
  return token;
}

Result<std::optional<ClientToken>> FindClientToken(Store& store, const std::string& cluster,
                                                   const std::string& token) {
  if (token.empty()) return std::optional<ClientToken>();
  std::string key = keys::ClientToken(cluster, token);
  std::optional<StoredRecord> stored = TRY(store.Get(key));
  if (!stored) return std::optional<ClientToken>();
  Result<ClientToken> decoded = DecodeClientToken(stored->value);
  if (!decoded.ok()) {
    TRY(store.Quarantine(key, decoded.error().message()));
    return std::optional<ClientToken>();
  }
  if (!IsExpired(decoded.value(), WallNanoseconds())) {
    return std::optional<ClientToken>(std::move(decoded).value());
  }
  TRY(store.Commit({{key, std::nullopt, stored->version}}, Durability::kStatus));
  return std::optional<ClientToken>();
}

Result<std::vector<RecordWrite>> ExpiredTokens(Store& store, std::string& cursor, int64_t now) {
  RangeRequest request{.prefix = kClientTokens, .after = cursor, .limit = kTokensLookedAt};
  std::vector<StoredRecord> records = TRY(store.Range(request));
  cursor = records.size() < kTokensLookedAt ? "" : records.back().key;
  std::vector<RecordWrite> removals;
  for (const StoredRecord& record : records) {
    Result<ClientToken> token = DecodeClientToken(record.value);
    if (!token.ok() || IsExpired(token.value(), now)) {
      removals.push_back({record.key, std::nullopt, std::nullopt});
    }
  }
  return removals;
}

}  // namespace skiff::runtime::api

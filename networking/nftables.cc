#include "networking/nftables.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>

#include <cerrno>
#include <memory>

#include "isolation/base/text.h"
#include "isolation/sys/failpoint.h"
#include "networking/limits.h"

namespace skiff::networking {
namespace {

constexpr size_t kMaxComment = 127;
constexpr uint8_t kUserdataComment = 0;  // as libnftnl and nft write it

constexpr uint16_t TableMessage(uint16_t message) {
  return static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
}

void BeginMessage(NetlinkBatch& batch, uint16_t type, uint16_t flags, uint8_t family,
                  uint16_t resource = 0) {
  void* header;
  batch.Begin(type, flags, sizeof(nfgenmsg), &header);
  auto* generic = static_cast<nfgenmsg*>(header);
  generic->nfgen_family = family;
  generic->version = NFNETLINK_V0;
  generic->res_id = htons(resource);
}

// The frame of a transaction. The kernel acknowledges its messages, never the frame itself.
void BeginFrame(NetlinkBatch& batch, uint16_t type) {
  BeginMessage(batch, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

void PutData(NetlinkBatch& batch, uint16_t type, const std::string& value) {
  size_t data = batch.OpenNest(static_cast<uint16_t>(type | NLA_F_NESTED));
  batch.Put(NFTA_DATA_VALUE, value.data(), value.size());
  batch.CloseNest(data);
}

void PutComment(NetlinkBatch& batch, const std::string& comment) {
  if (comment.empty()) return;
  std::string text = comment.substr(0, kMaxComment);
  std::string userdata{static_cast<char>(kUserdataComment), static_cast<char>(text.size() + 1)};
  userdata += text + '\0';
  batch.Put(NFTA_SET_ELEM_USERDATA, userdata.data(), userdata.size());
}

void PutElement(NetlinkBatch& batch, const NftElement& element) {
  batch.PutText(NFTA_SET_ELEM_LIST_TABLE, element.set.table);
  batch.PutText(NFTA_SET_ELEM_LIST_SET, element.set.name);
  size_t list = batch.OpenNest(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED);
  size_t entry = batch.OpenNest(NFTA_LIST_ELEM | NLA_F_NESTED);
  PutData(batch, NFTA_SET_ELEM_KEY, element.key);
  if (!element.data.empty()) PutData(batch, NFTA_SET_ELEM_DATA, element.data);
  PutComment(batch, element.comment);
  batch.CloseNest(entry);
  batch.CloseNest(list);
}

std::string DecodeComment(std::string_view userdata) {
  if (userdata.size() < 3 || userdata[0] != static_cast<char>(kUserdataComment)) return "";
  std::string_view text = userdata.substr(2);
  return std::string(text.substr(0, text.find('\0')));
}

void DecodeElements(const nlmsghdr* message, const NftSet& set, std::vector<NftElement>* out) {
  if (message->nlmsg_type != TableMessage(NFT_MSG_NEWSETELEM)) return;
  NetlinkAttributes attributes = NetlinkAttributes::Of(message, sizeof(nfgenmsg));
  NetlinkAttributes list = attributes.Nested(NFTA_SET_ELEM_LIST_ELEMENTS);
  for (std::string_view entry : list.FindAll(NFTA_LIST_ELEM)) {
    NetlinkAttributes element(entry.data(), entry.size());
    std::string_view key = element.Nested(NFTA_SET_ELEM_KEY).Find(NFTA_DATA_VALUE);
    std::string_view data = element.Nested(NFTA_SET_ELEM_DATA).Find(NFTA_DATA_VALUE);
    out->push_back({set, std::string(key), std::string(data),
                    DecodeComment(element.Find(NFTA_SET_ELEM_USERDATA))});
  }
}

// What the errno of a refused transaction means to someone who cannot look it up.
Error Explain(int error, const std::string& what) {
  bool has_none = error == EPROTONOSUPPORT || error == EOPNOTSUPP || error == EAFNOSUPPORT;
  if (has_none)
    return Error(Code::kUnavailable,
                 what +
                     ": this kernel has no nftables (CONFIG_NF_TABLES with the inet and bridge "
                     "families); load nf_tables or use a kernel that has it");
  return Error::FromErrno(error, what);
}

}  // namespace

Result<Nftables> Nftables::Open() {
  TRY(failpoint::Check("nft.open"));
  Result<NetlinkSocket> socket = NetlinkSocket::Open(NETLINK_NETFILTER);
  if (!socket.ok()) return Explain(socket.error().sys_errno(), "open nftables");
  return Nftables(std::move(socket).value());
}

Result<> Nftables::Commit(uint16_t message, uint16_t flags,
                          const std::vector<NftElement>& elements) {
  std::string what =
      message == NFT_MSG_NEWSETELEM ? "add firewall element" : "remove firewall element";
  NetlinkBatch batch;
  BeginFrame(batch, NFNL_MSG_BATCH_BEGIN);
  for (const NftElement& element : elements) {
    BeginMessage(batch, TableMessage(message), flags, static_cast<uint8_t>(element.set.family));
    PutElement(batch, element);
  }
  BeginFrame(batch, NFNL_MSG_BATCH_END);
  std::vector<int> errors = TRY(socket_.Transact(batch).Context(what));
  for (size_t i = 0; i < errors.size(); ++i) {
    if (errors[i] == 0) continue;
    bool is_frame = i == 0 || i + 1 == errors.size();
    return Explain(errors[i], is_frame ? what : what + " to " + elements[i - 1].set.name);
  }
  return {};
}

Result<> Nftables::Add(const std::vector<NftElement>& elements) {
  TRY(failpoint::Check("nft.add"));
  return Commit(NFT_MSG_NEWSETELEM, NLM_F_CREATE, elements);
}

Result<> Nftables::Remove(const std::vector<NftElement>& elements) {
  TRY(failpoint::Check("nft.remove"));
  return Commit(NFT_MSG_DELSETELEM, 0, elements);
}

Result<std::optional<NftElement>> Nftables::Find(const NftSet& set, const std::string& key) {
  TRY(failpoint::Check("nft.find"));
  NetlinkBatch batch;
  BeginMessage(batch, TableMessage(NFT_MSG_GETSETELEM), 0, static_cast<uint8_t>(set.family));
  PutElement(batch, {set, key, "", ""});
  std::vector<NftElement> found;
  int error = TRY(
      socket_.Query(batch, [&](const nlmsghdr* message) { DecodeElements(message, set, &found); }));
  if (error != 0 && error != ENOENT) return Explain(error, "find firewall element in " + set.name);
  return found.empty() ? std::optional<NftElement>() : std::optional(found.front());
}

Result<std::vector<NftElement>> Nftables::List(const NftSet& set) {
  TRY(failpoint::Check("nft.list"));
  std::vector<NftElement> found;
  int error = EINTR;
  for (int attempt = 0; attempt < kMaxDumpAttempts && error == EINTR; ++attempt) {
    found.clear();
    NetlinkBatch batch;
    BeginMessage(batch, TableMessage(NFT_MSG_GETSETELEM), NLM_F_DUMP,
                 static_cast<uint8_t>(set.family));
    batch.PutText(NFTA_SET_ELEM_LIST_TABLE, set.table);
    batch.PutText(NFTA_SET_ELEM_LIST_SET, set.name);
    error = TRY(socket_.Dump(
        batch, [&](const nlmsghdr* message) { DecodeElements(message, set, &found); }));
  }
  if (error != 0 && error != ENOENT) return Explain(error, "list firewall elements of " + set.name);
  return found;
}

Result<bool> Nftables::HasTable(NftFamily family, const std::string& table) {
  TRY(failpoint::Check("nft.has_table"));
  NetlinkBatch batch;
  BeginMessage(batch, TableMessage(NFT_MSG_GETTABLE), 0, static_cast<uint8_t>(family));
  batch.PutText(NFTA_TABLE_NAME, table);
  int error = TRY(socket_.Query(batch, [](const nlmsghdr*) {}));
  if (error == ENOENT) return false;
  if (error != 0) return Explain(error, "find firewall table " + table);
  return true;
}

Result<> Nftables::DeleteTable(NftFamily family, const std::string& table) {
  TRY(failpoint::Check("nft.delete_table"));
  NetlinkBatch batch;
  BeginFrame(batch, NFNL_MSG_BATCH_BEGIN);
  BeginMessage(batch, TableMessage(NFT_MSG_DELTABLE), 0, static_cast<uint8_t>(family));
  batch.PutText(NFTA_TABLE_NAME, table);
  BeginFrame(batch, NFNL_MSG_BATCH_END);
  std::vector<int> errors = TRY(socket_.Transact(batch));
  for (int error : errors)
    if (error != 0 && error != ENOENT) return Explain(error, "delete firewall table " + table);
  return {};
}

namespace {

// libnftables brings ten libraries along, 1.9 ms of every start of a program linked to it, and is
// needed once after boot: so it is loaded when it is.
struct NftLibrary {
  static Result<NftLibrary> Load();
  decltype(&nft_ctx_new) open = nullptr;
  decltype(&nft_ctx_free) close = nullptr;
  decltype(&nft_ctx_buffer_output) keep_output = nullptr;
  decltype(&nft_ctx_buffer_error) keep_errors = nullptr;
  decltype(&nft_ctx_get_error_buffer) errors = nullptr;
  decltype(&nft_run_cmd_from_buffer) run = nullptr;
};

constexpr const char* kNftLibrary = "libnftables.so.1";

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

Result<NftLibrary> NftLibrary::Load() {
  void* library = dlopen(kNftLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return Error(Code::kUnavailable,
                 std::string(kNftLibrary) + " cannot be loaded: install the package libnftables1");
  NftLibrary nft;
  bool is_whole = Resolve(library, "nft_ctx_new", &nft.open) &&
                  Resolve(library, "nft_ctx_free", &nft.close) &&
                  Resolve(library, "nft_ctx_buffer_output", &nft.keep_output) &&
                  Resolve(library, "nft_ctx_buffer_error", &nft.keep_errors) &&
                  Resolve(library, "nft_ctx_get_error_buffer", &nft.errors) &&
                  Resolve(library, "nft_run_cmd_from_buffer", &nft.run);
  if (is_whole) return nft;
  return Error(Code::kUnavailable, std::string(kNftLibrary) + ": lacks a function skiff needs");
}

}  // namespace

Result<> RunNftCommands(const std::string& commands) {
  TRY(failpoint::Check("nft.run"));
  NftLibrary nft = TRY(NftLibrary::Load());
  std::unique_ptr<nft_ctx, decltype(nft.close)> context(nft.open(NFT_CTX_DEFAULT), nft.close);
  if (context == nullptr) return Error(Code::kUnavailable, "nftables: cannot be initialised");
  nft.keep_output(context.get());
  nft.keep_errors(context.get());
  if (nft.run(context.get(), commands.c_str()) == 0) return {};
  std::string_view text = nft.errors(context.get());
  std::string_view first_line = text.substr(0, text.find('\n'));
  return Error(Code::kUnavailable, "load firewall ruleset: " + std::string(TrimSpace(first_line)));
}

}  // namespace skiff::networking

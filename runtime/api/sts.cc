#include "runtime/api/sts.h"

#include "runtime/api/errors.h"

namespace skiff::runtime::api {

OperationTable StsOperations(const ControlSettings& settings) {
  OperationTable table;
  table.service = "sts";
  table.xml_namespace = "https://sts.amazonaws.com/doc/2011-06-15/";
  std::string account = settings.account_id;
  table.operations["GetCallerIdentity"] = {[account](const Call& call) -> Result<std::string> {
    return "<Arn>" + EscapeXml(call.caller.arn) + "</Arn><UserId>" +
           EscapeXml(call.caller.user_id) + "</UserId><Account>" + EscapeXml(account) +
           "</Account>";
  }};
  table.not_offered = {"AssumeRole",
                       "AssumeRoleWithSAML",
                       "AssumeRoleWithWebIdentity",
                       "AssumeRoot",
                       "DecodeAuthorizationMessage",
                       "GetAccessKeyInfo",
                       "GetDelegatedAccessToken",
                       "GetFederationToken",
                       "GetSessionToken",
                       "GetWebIdentityToken"};
  return table;
}

}  // namespace skiff::runtime::api

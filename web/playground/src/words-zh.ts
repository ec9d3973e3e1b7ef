/** 中文。 */

import { millis } from "./figures.js";
import type { Words } from "./words.js";

const reasons: Readonly<Record<string, string>> = {
  kicked: "被管理员踢下线",
  displaced: "被另一台设备顶下线",
  replayed: "旧的 refresh token 又出现了",
  banned: "账号已封禁",
  signed_out: "已退出",
  idle: "太久没有使用",
  expired: "会话到期",
};

const services: Readonly<Record<string, string>> = {
  "/me": "示例接口",
  "/oauth2/token": "续签",
  events: "事件流的 token",
};

export const zh: Words = {
  lang: "zh-CN",
  title: "Symbolon 演示页",
  headline: "一个会话，两个标签页",
  lead: "认证中心、浏览器 SDK、两个业务服务都是真的，就在这台机器上。只有故障是人为的：按一个按钮，看谁会察觉。",
  skip: "跳到按钮",
  other: "English",
  noKey: "这个地址少了密钥。",
  noKeyHow:
    "请打开 symbolon dev 打印的完整地址，连同 # 后面的部分。有了它，这个页面才能操作，本机的其他人不能。",
  unreachable: "symbolon dev 没有应答，它还在运行吗？",
  tab: (who) => `标签页 ${who}`,
  outside: "来自外部",
  outsideHint: "其他人（包括小偷）对这个会话做的事，两个标签页都会受影响。",
  acts: {
    race: { name: "同时续签五十次", hint: "五十个请求各自为政时就是这样" },
    replay: { name: "重放旧的 refresh token", hint: "偷到副本的人会这样做" },
    kick: { name: "踢下线", hint: "管理员的操作" },
    role: { name: "修改角色", hint: "在 reader 与 manager 之间切换" },
    displace: { name: "在另一台设备登录", hint: "同类设备只允许一台" },
  },
  faults: {
    lose: ["丢掉应答", "丢失中"],
    offline: ["断网", "恢复网络"],
    clock: ["拨快两小时", "拨回时钟"],
  },
  faultNotes: {
    quiet: "只影响这个标签页的故障：",
    lost: "认证中心已经续签，但应答没有送到，正在重试……",
    found: "用同一个 token 再问一次，得到同一个后继。业务请求毫无察觉。",
    offline: "已断网。请求在等待，没有人被登出。",
    online: "网络恢复：直接用另一个标签页的新 token，或者自己续签。",
    ahead: "时钟跳了。代价只是提前续签一次。",
    right: "时钟拨回去了，什么也没有发生。",
  },
  ring: (left, of) => `access token 剩余 ${left} 秒，共 ${of} 秒`,
  left: "秒后到期",
  none: "没有 token",
  phases: {
    restoring: "正在恢复……",
    fresh: "已登录",
    stale: "需要续签",
    renewing: "续签中……",
    "signed-out": "未登录",
    ended: "已下线",
    displaced: "已下线",
    offline: "已断网",
  },
  rows: { role: "角色", renewals: "续签", answer: "最近应答", clock: "本页时钟" },
  renewals: (own, taken) => `自己 ${own} 次，共享 ${taken} 次`,
  waits: "等待中……",
  over: (reason, device) =>
    reason === "displaced" && device
      ? `已下线：被“${device}”顶替。`
      : `已下线：${reasons[reason] ?? reason}。`,
  signIn: "重新登录",
  signingIn: "登录中……",
  seen: "刚才发生了什么",
  nothingYet:
    "什么都不做，两个圆环也会自己补满：一个标签页续签，另一个直接用它的结果。然后按个按钮试试。",
  figures: {
    answered: "得到应答",
    successors: "个后继",
    out: "人掉线",
    took: "总耗时",
    refused: "后两个服务都已拒绝",
    applied: "个服务已确认",
    confirmed: "后全部确认",
    renewed: "后两个标签页都拿到新角色",
    reason: "原因",
  },
  outcome(outcome) {
    switch (outcome.is) {
      case "running":
        return "进行中……";
      case "waiting":
        return `被替换的 refresh token 在宽限期内仍然有效，这是留给并发标签页的。还有 ${Math.ceil(outcome.ms / 1000)} 秒结束。`;
      case "failed":
        return `没有成功：${outcome.why}`;
      case "done":
    }
    switch (outcome.act) {
      case "race":
        return outcome.signedIn
          ? "所有请求拿到同一个新 token，会话还在。换成没有为此设计的轮换，其中四十九个会被当成小偷。"
          : "会话没有保住，这不符合我们的承诺。";
      case "replay":
        return "不管是小偷还是本人，总之有人手里有副本：这个会话在所有服务上立即结束，并说明原因。同一用户的其他会话不受影响。";
      case "kick":
        return `access token 本身还没到期。两个服务都在本地验签，谁也不用问：吊销是推送过来的，${millis(outcome.appliedMs)} 后全部确认。`;
      case "role":
        return `旧 token 里的角色已经不对，服务以 stale 拒绝，意思是“请续签”，而不是“请重新登录”。两个标签页已自动续签，角色变为 ${outcome.role}，没有人掉线。`;
      case "displace":
        return "这个客户端规定每人只能登录一个浏览器。后登录的生效，被顶掉的标签页会被告知原因。";
    }
  },
  timeline: "最近一分钟",
  timelineHint: "横条是 access token 的寿命，续签处开始新的一条。",
  busy: "每 2 秒请求一次",
  ago: (seconds) => (seconds ? `${seconds} 秒前` : "现在"),
  legend: {
    life: "access token",
    request: "请求",
    renewal: "续签",
    taken: "用另一个标签页的结果",
    trouble: "被拒绝、丢失、下线",
  },
  lanes: { A: "标签页 A", B: "标签页 B", outside: "外部" },
  timelineSays: (renewals, requests, refused) =>
    `最近一分钟：${requests} 次请求，${renewals} 次续签，${refused} 次被拒绝或丢失。`,
  log: "日志",
  columns: ["时间", "来源", "事件", "耗时"],
  entry({ mark, about = "", status }) {
    switch (mark) {
      case "life":
        return "";
      case "request":
        return `${services[about] ?? about}：${status}`;
      case "refused":
        return `${services[about] ?? about}：被拒绝，${status}`;
      case "renewal":
        return about === "events" ? "为事件流换取 token" : "已续签";
      case "taken":
        return "使用另一个标签页的新 token";
      case "lost":
        return "已续签，但应答丢失";
      case "unsent":
        return "发送失败：已断网";
      case "ended":
        return `收到通知：会话结束，${reasons[about] ?? about}`;
      case "signed-in":
        return "已登录";
      case "act":
        return zh.acts[about as keyof Words["acts"]]?.name ?? about;
    }
  },
  latency: "从吊销到拒绝",
  latencyHint:
    "在本页实测，两个示例接口都算：从发出指令，到较晚的那个拒绝原本有效的 token 为止，包含指令在路上的时间。",
  latencyNone: "踢下线、重放、顶下线或修改角色后，这里会显示结果。",
  latencyOf: (count, median) => `已测 ${count} 次，中位数 ${median}`,
  costs: "当前预设及其代价",
  costsHint: (client, preset) =>
    `客户端 ${client} 使用 ${preset}。数字按一个用户每 10 秒一次、共 1,000 次请求计算，与 symbolon explain client 一致。`,
  inForce: "当前",
  costColumns: [
    "预设",
    "token 寿命",
    "每次请求携带",
    "读存储",
    "写存储",
    "被踢后仍可访问（接收推送）",
    "（不接收推送）",
  ],
  presetMeans: {
    "dual-token": "短 JWT，加会轮换的 refresh token",
    "gateway-session": "cookie，由网关换成短 JWT",
    "sliding-session": "一个不变的长 JWT",
    "opaque-session": "一个不透明 token，需要询问",
  },
  never: "无法独立验证",
  bytes: (bytes) => `${bytes} 字节`,
  footer: "这里的一切都只用公开 API，它本身就是 SDK 的示例。",
  api: "API 文档",
};

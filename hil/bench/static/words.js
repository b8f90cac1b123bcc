// Every word of the page, in both languages.

const WORDS = {
  title: ["退款终端", "Refund till"],
  starters: ["一键演示", "Starters"],
  storyFull: ["▶ 演示:全额退款", "▶ Play: full refund"],
  storyPayCode: ["▶ 演示:误扫付款码", "▶ Play: payment code"],
  storyPaper: ["▶ 演示:缺纸", "▶ Play: paper out"],
  storyStop: ["■ 停止演示", "■ Stop"],
  till: ["收银终端", "Till"],
  customerScreen: ["顾客屏", "Customer"],
  operatorScreen: ["操作员屏幕,键盘可直接操作", "Operator screen; the PC keyboard works here"],
  noPower: ["断电", "No power"],
  keypad: ["小键盘", "Keypad"],
  operator: ["操作员", "Operator"],
  supervisor: ["主管", "Supervisor"],
  pin: ["密码", "PIN"],
  legend: ["电脑键盘对照", "PC keyboard"],
  leaveScreen: ["离开屏幕", "leaves the screen"],
  power: ["电源", "Power"],
  printer: ["小票打印机", "Receipt printer"],
  slipCount: ["张", "slips"],
  noSlips: ["打印的小票会从这里出来", "Slips come out here"],
  scan: ["扫码枪", "Scanner"],
  scanHint: ["输入或粘贴条码内容", "Type or paste a code"],
  scanButton: ["扫", "Scan"],
  scannerKind: ["扫码枪型号(更换会重启终端)", "Kind of scanner (changing it restarts the till)"],
  scannerPlain: ["普通串口:文本 + 回车", "serial: text and CR"],
  scannerAckNak: ["串口,应答 ACK/NAK", "serial, ACK/NAK"],
  scannerSsi: ["斑马 Zebra SSI", "Zebra SSI packets"],
  scannerGrow: ["Grow GM65 模块", "Grow GM65, heartbeat"],
  scannerCamera: ["摄像头", "camera"],
  scannerPicture: ["拖入或选择一张有码的照片;点账单则给摄像头看二维码", "Drop or choose a picture of a code; a click on a bill shows it as a QR code"],
  faults: ["故障开关", "Faults"],
  paper_end: ["缺纸", "Paper out"],
  cover_open: ["开盖", "Cover open"],
  near_end: ["纸将尽", "Paper low"],
  scanner: ["拔扫码枪", "Unplug scanner"],
  printerCable: ["拔打印机", "Unplug printer"],
  keypadCable: ["拔键盘", "Unplug keypad"],
  network: ["断网", "Network down"],
  officeDown: ["后台停机", "Back office down"],
  officeSlow: ["后台很慢", "Back office slow"],
  acquirer: ["收单机构下一次答复", "Acquirer answers next"],
  acquirerUsual: ["照常(成功)", "as usual (accepted)"],
  acquirerProcessing: ["处理中", "processing"],
  acquirerTimeout: ["超时,结果未知", "time-out, unknown"],
  acquirerBalance: ["商户余额不足", "merchant balance too low"],
  acquirerAbnormal: ["异常(顾客卡已销户)", "abnormal (card closed)"],
  backOffice: ["后台", "Back office"],
  openBackOffice: ["打开后台审核页面 ↗", "Open the review page ↗"],
  reset: ["全部恢复如新", "Reset everything"],
  close: ["关闭", "Close"],
  paid: ["实付", "paid"],
  lampBroker: ["网络", "network"],
  lampOffice: ["后台", "back office"],
  lampOutbox: ["待传", "to send"],
  deviceScanner: ["扫码枪", "scanner"],
  devicePrinter: ["打印机", "printer"],
  deviceKeypad: ["键盘", "keypad"],
  copyMark: ["重打印", "copy"],
  connectionLost: ["与测试台的连接断开,正在重连", "Connection to the bench lost, reconnecting"],
  // What to press next, by state of the refund menu
  coach_off: ["终端断电了。打开下面的“电源”开关,看看什么都没有丢。", "The till has no power. Switch it on below: nothing is lost."],
  coach_start: ["终端正在启动…", "The till is starting …"],
  coach_LOGIN: ["登录:按 {no} 确认,再按 {pin} 确认(电脑键盘 Enter = 确认)。", "Sign in: press {no} OK, then {pin} OK (Enter on your keyboard = OK)."],
  coach_RESUME: ["上次退款没有提交:确认=继续,取消=作废。", "A refund was not submitted: OK resumes, ESC drops it."],
  coach_MENU: ["点右边一张账单的条码,像顾客出示账单那样扫一下。", "Click a bill's barcode: that is the customer's bill being scanned."],
  coach_SCAN: ["点一张账单的条码来扫,或键入单号再按确认。", "Click a bill to scan it, or type the number and press OK."],
  coach_LOOKUP: ["正在向后台查原交易…", "Asking the back office for the sale …"],
  coach_SALE: ["核对金额:确认=全额退,2=部分退。", "Check the sums: OK refunds all, 2 a part."],
  coach_AMOUNT: ["键入要退的金额(3 = 3.00 元),再按确认。", "Type the amount (3 = 3.00 yuan), then OK."],
  coach_REASON: ["按一个数字选退款原因,比如 1。", "Press a digit for the reason, such as 1."],
  coach_CONFIRM: ["看清金额,按确认提交(只按一次)。", "Check the amount and press OK once to submit."],
  coach_SUPERVISOR: ["超过限额:主管 {sno} 确认,密码 {spin} 确认。", "Over the limit: supervisor {sno} OK, PIN {spin} OK."],
  coach_RESULT: ["已提交。小票出来了;到后台审核通过,结果小票会自动打印。按确认回菜单。", "Submitted, slips printed. Approve it in the back office and the result prints by itself. OK returns."],
  coach_PAY_CODE: ["这是付款码,被拒绝且没有保存。直接扫账单条码即可。", "A payment code: refused, nothing kept. Just scan the bill."],
  coach_other: ["屏幕最后一行写着可以按的键。", "The last line of the screen names the keys."],
  coach_SAFE: ["安全状态:屏幕上写着原因。", "Safe state: the screen says why."],
  playing: ["正在演示:", "Playing: "],
  play_login: ["登录", "sign in"],
  play_scan: ["扫顾客账单", "scan the customer's bill"],
  play_all: ["按确认,全额退", "press OK: refund all"],
  play_reason: ["按 1,选原因", "press 1: the reason"],
  play_submit: ["按确认,提交", "press OK: submit"],
  play_paper: ["等小票打印", "wait for the slips"],
  play_done: ["按确认,回菜单", "press OK: back to the menu"],
  play_approve: ["后台审核通过,等结果小票", "the back office approves; wait for the result slip"],
  play_paycode: ["误扫顾客的付款码", "scan a payment code by mistake"],
  play_refused: ["被拒绝,什么也没保存;再扫账单就行", "refused, nothing kept; now the bill"],
  play_paperOut: ["打印机没纸了", "the printer runs out of paper"],
  play_saved: ["申请照样保存并提交,不会丢", "the request is saved and sent all the same"],
  play_refill: ["装纸,原来的小票自动打印", "paper in: the original slips print by themselves"],
  play_end: ["演示完成,现在轮到您。", "Done. Your turn."],
  play_stopped: ["演示已停止。", "Stopped."],
};

let index = 0;

export const language = () => (index === 0 ? "zh-CN" : "en");

export function word(name, values = {}) {
  const text = WORDS[name]?.[index] ?? name;
  return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

export const hasWord = (name) => name in WORDS;

export function setLanguage(wanted) {
  index = wanted === "en" ? 1 : 0;
  document.documentElement.lang = language();
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", word(element.dataset.label));
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = word(element.dataset.placeholder);
}

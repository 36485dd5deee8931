import http.server, sys, hashlib, threading, json, os
objects={}; down=True
class H(http.server.BaseHTTPRequestHandler):
    protocol_version='HTTP/1.1'
    def log_message(self,*a): pass
    def answer(self,status,body=b'',**h):
        self.send_response(status); self.send_header('x-amz-request-id','1')
        for k,v in h.items(): self.send_header(k.replace('_','-'),v)
        if status!=204 and 'Content_Length' not in h: self.send_header('Content-Length',str(len(body)))
        self.end_headers()
        if self.command!='HEAD': self.wfile.write(body)
    def err(self,status,code,msg): self.answer(status,f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{msg}</Message></Error>'.encode(),Content_Type='application/xml')
    def do_PUT(self):
        body=self.rfile.read(int(self.headers.get('Content-Length',0)))
        path=self.path.split('?')[0]; bucket=path.split('/')[1]
        audit='/audit/' in path
        if audit and bucket=='flaky': return self.err(503,'SlowDown','Please reduce your request rate.')
        if bucket=='deny': return self.err(403,'AccessDenied','Access Denied')
        if audit and bucket=='held': return self.err(412,'PreconditionFailed','At least one of the pre-conditions you specified did not hold')
        if audit and bucket=='lost' and '_0002' in path and path in objects: self.close_connection=True; self.connection.shutdown(2); return
        if path in objects and self.headers.get('If-None-Match'): return self.err(412,'PreconditionFailed','At least one of the pre-conditions you specified did not hold')
        meta={k.lower():v for k,v in self.headers.items() if k.lower().startswith('x-amz-meta-')}
        objects[path]=(body,meta)
        os.makedirs('objects',exist_ok=True)
        open('objects/'+path.strip('/').replace('/','!'),'wb').write(body)
        json.dump(meta,open('objects/'+path.strip('/').replace('/','!')+'.meta','w'))
        print('PUT',path,len(body),flush=True)
        if audit and bucket=='lost' and '_0002' in path:
            self.close_connection=True; self.connection.shutdown(2); return
        self.answer(200,ETag='"'+hashlib.md5(body).hexdigest()+'"')
    def do_HEAD(self):
        path=self.path.split('?')[0]
        if path.split('/')[1]=='held': return self.answer(200,ETag='"x"',x_amz_meta_auditferry_sha256='00'*32,Content_Length='5')
        if path not in objects or '_0002' in path: return self.answer(503)
        b,m=objects[path]; self.answer(200,ETag='"x"',Content_Length=str(len(b)),**{k.replace('-','_'):v for k,v in m.items()})
    def do_GET(self):
        path=self.path.split('?')[0]
        if path in objects: b,m=objects[path]; return self.answer(200,b)
        self.answer(404)
    def do_DELETE(self):
        self.answer(204)
http.server.ThreadingHTTPServer(('127.0.0.1',18999),H).serve_forever()
